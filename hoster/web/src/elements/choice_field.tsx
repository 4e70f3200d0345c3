import { type EntryProps, Field } from "./field";

interface ChoiceFieldProps<Value extends string> extends EntryProps<Value> {
  /** What can be chosen, in its order. */
  readonly choices: readonly (readonly [value: Value, name: string])[];
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
