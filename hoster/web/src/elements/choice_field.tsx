import type { ComponentChildren } from "preact";
import { Field } from "./field";

interface ChoiceFieldProps<Value extends string> {
  readonly label: string;
  readonly value: Value;
  readonly onValue: (value: Value) => void;
  /** What can be chosen, in its order. */
  readonly choices: readonly (readonly [value: Value, name: string])[];
  readonly hint?: ComponentChildren;
  readonly fault?: string | undefined;
  readonly required?: boolean;
}

/** One of a few. */
export function ChoiceField<Value extends string>({
  value,
  onValue,
  choices,
  ...field
}: ChoiceFieldProps<Value>) {
  return (
    <Field {...field}>
      {(ties) => (
        <select {...ties} value={value} onChange={(event) => onValue(event.currentTarget.value as Value)}>
          {choices.map(([one, name]) => (
            <option key={one} value={one}>
              {name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
