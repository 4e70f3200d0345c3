import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { Field } from "@/elements/field";
import { newPassword } from "./password";
import type { Variable } from "./template";

interface VariableFieldProps {
  readonly variable: Variable;
  readonly entry: string | boolean;
  readonly fault: string | undefined;
  readonly onEntry: (entry: string | boolean) => void;
  /** What an empty password means here. */
  readonly emptyPassword: string;
}

/** The control that a variable's type asks for. */
export function VariableField(props: VariableFieldProps) {
  const { variable, entry, fault, onEntry } = props;
  const label = variable.label || variable.name;
  if (variable.type === "boolean") {
    return (
      <div class="field">
        <label class="check">
          <input
            type="checkbox"
            checked={entry === true}
            onChange={(event) => onEntry(event.currentTarget.checked)}
          />
          {label}
        </label>
      </div>
    );
  }
  if (variable.type === "password") return <PasswordField {...props} />;
  return (
    <Field label={label} fault={fault} required={variable.required}>
      {(ties) =>
        variable.type === "select" ? (
          <select {...ties} value={String(entry)} onChange={(event) => onEntry(event.currentTarget.value)}>
            {!variable.required && <option value="">(none)</option>}
            {variable.options.map((option) => (
              <option key={option}>{option}</option>
            ))}
          </select>
        ) : (
          <input
            {...ties}
            type={variable.type === "number" ? "number" : "text"}
            step="any"
            value={String(entry)}
            onInput={(event) => onEntry(event.currentTarget.value)}
          />
        )
      }
    </Field>
  );
}

function PasswordField({ variable, entry, fault, onEntry, emptyPassword }: VariableFieldProps) {
  const [shown, setShown] = useState(false);
  const generate = () => {
    onEntry(newPassword());
    setShown(true);
  };
  return (
    <Field label={variable.label || variable.name} fault={fault} hint={emptyPassword}>
      {(ties) => (
        <span class="with-buttons">
          <input
            {...ties}
            type={shown ? "text" : "password"}
            autocomplete="new-password"
            value={String(entry)}
            onInput={(event) => onEntry(event.currentTarget.value)}
          />
          <Button
            small
            onClick={() => setShown(!shown)}
            pressed={shown}
            label={`Show ${variable.label || variable.name}`}
          >
            Show
          </Button>
          <Button small onClick={generate} label={`Generate ${variable.label || variable.name}`}>
            Generate
          </Button>
        </span>
      )}
    </Field>
  );
}
