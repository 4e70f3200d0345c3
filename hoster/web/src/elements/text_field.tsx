import type { ComponentChildren, JSX } from "preact";
import { Field } from "./field";

interface TextFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly hint?: ComponentChildren;
  readonly fault?: string | undefined;
  readonly required?: boolean;
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
