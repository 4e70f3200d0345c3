import { Button } from "@/elements/button";
import { ChoiceField } from "@/elements/choice_field";
import { TextArea } from "@/elements/text_area";
import { TextField } from "@/elements/text_field";
import type { Variable } from "@/templates/template";
import { type DraftVariable, takesPattern } from "./draft";

const TYPES: readonly (readonly [type: Variable["type"], name: string])[] = [
  ["string", "Text"],
  ["number", "Number"],
  ["boolean", "Yes or no"],
  ["password", "Password"],
  ["select", "Choice"],
];

const YES_OR_NO = [
  ["false", "No"],
  ["true", "Yes"],
] as const;

interface VariableRowProps {
  readonly variable: DraftVariable;
  /** From 1. */
  readonly place: number;
  readonly faults: Readonly<Record<string, string>>;
  readonly onVariable: (variable: DraftVariable) => void;
  readonly onRemove: () => void;
}

export function VariableRow({ variable, place, faults, onVariable, onRemove }: VariableRowProps) {
  const change = (fields: Partial<DraftVariable>) => onVariable({ ...variable, ...fields });
  const title = variable.name || `variable ${place}`;
  return (
    <li class="card variable-row">
      <TextField
        label="Name"
        required
        value={variable.name}
        onValue={(name) => change({ name })}
        fault={faults.name}
        input={{ pattern: "[A-Za-z_][A-Za-z0-9_]{0,63}", placeholder: "NAME", spellcheck: false }}
      />
      <TextField
        label="Label"
        value={variable.label}
        onValue={(label) => change({ label })}
        fault={faults.label}
        input={{ maxLength: 100 }}
      />
      <ChoiceField
        label="Type"
        required
        value={variable.type}
        onValue={(type) => change({ type, default: "" })}
        choices={TYPES}
        fault={faults.type}
      />
      <Default variable={variable} fault={faults.default} onDefault={(entry) => change({ default: entry })} />
      {variable.type === "select" && (
        <TextArea
          label="Choices"
          required
          value={variable.options}
          onValue={(options) => change({ options })}
          fault={faults.options}
          hint="One a line."
          area={{ rows: 3 }}
        />
      )}
      {takesPattern(variable.type) && (
        <TextField
          label="Pattern"
          value={variable.pattern}
          onValue={(pattern) => change({ pattern })}
          fault={faults.pattern}
          hint="A regular expression that the whole value must match."
          input={{ maxLength: 200, spellcheck: false }}
        />
      )}
      <p class="row">
        <label class="check">
          <input
            type="checkbox"
            checked={variable.required}
            onChange={(event) => change({ required: event.currentTarget.checked })}
          />
          Must be given
        </label>
        <span class="spacer" />
        <Button small onClick={onRemove} label={`Remove ${title}`}>
          Remove
        </Button>
      </p>
    </li>
  );
}

interface DefaultProps {
  readonly variable: DraftVariable;
  readonly fault: string | undefined;
  readonly onDefault: (entry: string) => void;
}

function Default({ variable, fault, onDefault }: DefaultProps) {
  if (variable.type === "boolean") {
    return (
      <ChoiceField
        label="Default"
        required
        value={variable.default === "true" ? "true" : "false"}
        onValue={onDefault}
        choices={YES_OR_NO}
        fault={fault}
      />
    );
  }
  return (
    <TextField
      label="Default"
      value={variable.default}
      onValue={onDefault}
      fault={fault}
      {...(variable.type === "password" ? { hint: "Left empty, each deployment gets one of its own." } : {})}
      input={variable.type === "number" ? { type: "number", step: "any" } : { autocomplete: "off" }}
    />
  );
}
