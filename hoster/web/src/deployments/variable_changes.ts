import type { Scalar, Variable } from "@/templates/template";
import type { Entries } from "@/templates/variable_values";
import type { Variables } from "./deployment";

const HIDDEN = "***";

/** What can be told of the variables where their template is not there to say it. */
export function variablesOf(values: Variables): readonly Variable[] {
  return Object.entries(values).map(([name, value]) => ({
    name,
    label: name,
    type: typeof value === "string" ? (value === HIDDEN ? "password" : "string") : kindOf(value),
    default: null,
    required: false,
    options: [],
    pattern: null,
  }));
}

function kindOf(value: number | boolean): "number" | "boolean" {
  return typeof value === "number" ? "number" : "boolean";
}

/** What the form shows for a deployment's present values. Passwords are never shown: their entries are empty. */
export function entriesOf(variables: readonly Variable[], values: Variables): Entries {
  return Object.fromEntries(
    variables.map((variable) => {
      const value = values[variable.name] ?? variable.default;
      if (variable.type === "password") return [variable.name, ""];
      return [variable.name, variable.type === "boolean" ? value === true : String(value ?? "")];
    }),
  );
}

/** Only what differs; an empty password changes nothing. */
export function changesOf(
  variables: readonly Variable[],
  entries: Entries,
  values: Variables,
): Record<string, Scalar> {
  const changes: Record<string, Scalar> = {};
  for (const variable of variables) {
    const entry = entries[variable.name];
    if (entry === undefined) continue;
    if (variable.type === "password") {
      if (entry !== "") changes[variable.name] = entry;
      continue;
    }
    const value = variable.type === "number" && entry !== "" ? Number(entry) : entry;
    if (value !== (values[variable.name] ?? "")) changes[variable.name] = value;
  }
  return changes;
}

interface Named {
  readonly name: string;
  readonly value: string;
}

/** What differs from the present environment; null takes a variable away. */
export function environmentChanges(
  present: Variables,
  wanted: readonly Named[],
): Record<string, Scalar | null> {
  const changes: Record<string, Scalar | null> = {};
  for (const { name, value } of wanted) {
    if (String(present[name.trim()]) !== value || !(name.trim() in present)) changes[name.trim()] = value;
  }
  for (const name of Object.keys(present)) {
    if (!wanted.some((one) => one.name.trim() === name)) changes[name] = null;
  }
  return changes;
}
