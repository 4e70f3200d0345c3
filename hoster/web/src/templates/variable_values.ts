/** What the form's entries mean to the API, and what is wrong with them before it is asked. */
import type { Scalar, Variable } from "./template";

/** As the controls hold them; a missing one was not touched. */
export type Entries = Readonly<Record<string, string | boolean>>;

export function initialEntries(variables: readonly Variable[]): Entries {
  return Object.fromEntries(variables.map((variable) => [variable.name, initial(variable)]));
}

/** Nothing is sent for what was left empty: the platform puts in the default, or generates the password. */
export function valuesOf(variables: readonly Variable[], entries: Entries): Record<string, Scalar> {
  const values: Record<string, Scalar> = {};
  for (const variable of variables) {
    const entry = entries[variable.name];
    if (typeof entry === "boolean") values[variable.name] = entry;
    else if (entry !== undefined && entry !== "")
      values[variable.name] = variable.type === "number" ? Number(entry) : entry;
    else if (variable.default !== null && variable.default !== "" && canBeEmpty(variable))
      values[variable.name] = "";
  }
  return values;
}

export function faultsOf(variables: readonly Variable[], entries: Entries): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const variable of variables) {
    const fault = faultOf(variable, entries[variable.name]);
    if (fault !== null) faults[variable.name] = fault;
  }
  return faults;
}

function initial(variable: Variable): string | boolean {
  if (variable.type === "boolean") return variable.default === true;
  if (variable.type === "password" || variable.default === null) return "";
  return String(variable.default);
}

/** An emptied text is a value of its own; an emptied number or password is none. */
function canBeEmpty(variable: Variable): boolean {
  return variable.type === "string" && !variable.required;
}

function faultOf(variable: Variable, entry: string | boolean | undefined): string | null {
  if (typeof entry === "boolean") return null;
  if (entry === undefined || entry === "")
    return variable.required && variable.type !== "password" ? "is required" : null;
  if (variable.type === "number" && !Number.isFinite(Number(entry))) return "must be a number";
  if (variable.pattern !== null && !fits(variable.pattern, entry)) return `must match ${variable.pattern}`;
  return null;
}

/** A pattern that this browser cannot read is left to the platform to check. */
function fits(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, "u").test(text);
  } catch {
    return true;
  }
}
