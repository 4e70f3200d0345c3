import type { JSX } from "preact";
import { type EntryProps, Field } from "./field";

interface TextFieldProps extends EntryProps<string> {
  readonly input?: JSX.IntrinsicElements["input"];
}

export function TextField({ value, onValue, input = {}, ...field }: TextFieldProps) {
  return (
    <Field {...field}>
      {(ties) => (
        <input
          type="text"
          {...input}
          {...ties}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}
