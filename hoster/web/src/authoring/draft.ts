/** A template as its form holds it, and as the API has it. */
import type { Problem } from "@/problems/problem";
import type { Scalar, Template, Variable } from "@/templates/template";

export interface DraftVariable {
  /** Tells rows apart while their names are typed. */
  readonly key: number;
  readonly name: string;
  readonly label: string;
  readonly type: Variable["type"];
  readonly default: string;
  readonly required: boolean;
  /** One a line. */
  readonly options: string;
  readonly pattern: string;
}

export interface Draft {
  readonly name: string;
  readonly description: string;
  readonly category: string;
  /** Separated by commas, as are the capabilities. */
  readonly tags: string;
  readonly version: string;
  readonly compose: string;
  readonly variables: readonly DraftVariable[];
  readonly cpuCores: string;
  readonly memoryMb: string;
  readonly diskMb: string;
  readonly capabilities: string;
  /** A month's price in whole units of money. */
  readonly price: string;
}

const FIRST_COMPOSE = `services:
  web:
    image: nginx:1.27
    expose: ["80"]
    healthcheck: {x-path: /, x-deadline: 60s}
    restart: unless-stopped
`;

export const NEW_DRAFT: Draft = {
  name: "",
  description: "",
  category: "other",
  tags: "",
  version: "1.0.0",
  compose: FIRST_COMPOSE,
  variables: [],
  cpuCores: "0.25",
  memoryMb: "256",
  diskMb: "512",
  capabilities: "",
  price: "0",
};

let lastKey = 0;

export function newVariable(): DraftVariable {
  lastKey += 1;
  return {
    key: lastKey,
    name: "",
    label: "",
    type: "string",
    default: "",
    required: false,
    options: "",
    pattern: "",
  };
}

export function draftOf(template: Template): Draft {
  return {
    name: template.name,
    description: template.description,
    category: template.category,
    tags: template.tags.join(", "),
    version: template.version,
    compose: template.compose,
    variables: template.variables.map((variable) => ({
      ...newVariable(),
      name: variable.name,
      label: variable.label,
      type: variable.type,
      default: variable.default === null ? "" : String(variable.default),
      required: variable.required,
      options: variable.options.join("\n"),
      pattern: variable.pattern ?? "",
    })),
    cpuCores: String(template.resources.cpu_cores),
    memoryMb: String(template.resources.memory_mb),
    diskMb: String(template.resources.disk_mb),
    capabilities: template.required_capabilities.join(", "),
    price: String(template.price_monthly_cents / 100),
  };
}

/** Another author's passwords are not shown, so a copy has none of them. */
export function copyOf(template: Template): Draft {
  const draft = draftOf(template);
  const variables = draft.variables.map((variable) =>
    variable.type === "password" ? { ...variable, default: "" } : variable,
  );
  return { ...draft, name: `${template.name} of my own`, version: "1.0.0", variables };
}

export function bodyOf(draft: Draft): object {
  return {
    name: draft.name.trim(),
    description: draft.description.trim(),
    category: draft.category.trim(),
    tags: parts(draft.tags, ","),
    version: draft.version.trim(),
    compose: draft.compose,
    variables: draft.variables.map((variable) => ({
      name: variable.name.trim(),
      label: variable.label.trim(),
      type: variable.type,
      default: defaultOf(variable),
      required: variable.required,
      options: variable.type === "select" ? parts(variable.options, "\n") : [],
      pattern: takesPattern(variable.type) && variable.pattern !== "" ? variable.pattern : null,
    })),
    resources: {
      cpu_cores: Number(draft.cpuCores),
      memory_mb: Number(draft.memoryMb),
      disk_mb: Number(draft.diskMb),
    },
    required_capabilities: parts(draft.capabilities, ","),
    price_monthly_cents: Math.round(Number(draft.price) * 100),
  };
}

export function takesPattern(type: Variable["type"]): boolean {
  return type === "string" || type === "password";
}

/** What the API said of a variable: by its place where the form is wrong, by its name where the template is. */
export function variableFaults(
  problem: Problem | null,
  variable: DraftVariable,
  index: number,
): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const { field, message } of problem?.errors ?? []) {
    const [list, which, member = "name"] = field.split(".");
    if (list !== "variables" || (which !== String(index) && which !== variable.name)) continue;
    faults[member] = message;
  }
  return faults;
}

function defaultOf(variable: DraftVariable): Scalar | null {
  if (variable.default === "") return null;
  if (variable.type === "number") return Number(variable.default);
  if (variable.type === "boolean") return variable.default === "true";
  return variable.default;
}

function parts(text: string, separator: string): string[] {
  return text
    .split(separator)
    .map((part) => part.trim())
    .filter(Boolean);
}
