import { Button } from "@/elements/button";
import { ChoiceField } from "@/elements/choice_field";
import { TextArea } from "@/elements/text_area";
import { TextField } from "@/elements/text_field";
import { fieldsOf, type Tie } from "@/elements/use_form";
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
  const field = fieldsOf(variable, change, (name) => faults[name]);
  const title = variable.name || `variable ${place}`;
  return (
    <li class="card variable-row">
      <TextField
        label="Name"
        required
        {...field("name")}
        input={{ pattern: "[A-Za-z_][A-Za-z0-9_]{0,63}", placeholder: "NAME", spellcheck: false }}
      />
      <TextField label="Label" {...field("label")} input={{ maxLength: 100 }} />
      <ChoiceField
        label="Type"
        required
        value={variable.type}
        onValue={(type) => change({ type, default: "" })}
        choices={TYPES}
        fault={faults.type}
      />
      <Default type={variable.type} {...field("default")} />
      {variable.type === "select" && (
        <TextArea label="Choices" required {...field("options")} hint="One a line." area={{ rows: 3 }} />
      )}
      {takesPattern(variable.type) && (
        <TextField
          label="Pattern"
          {...field("pattern")}
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

function Default({ type, ...field }: Tie<string> & { readonly type: Variable["type"] }) {
  if (type === "boolean") {
    const value = field.value === "true" ? "true" : "false";
    return <ChoiceField label="Default" required {...field} value={value} choices={YES_OR_NO} />;
  }
  return (
    <TextField
      label="Default"
      {...field}
      {...(type === "password" ? { hint: "Left empty, each deployment gets one of its own." } : {})}
      input={type === "number" ? { type: "number", step: "any" } : { autocomplete: "off" }}
    />
  );
}
