import type { ComponentChildren, JSX } from "preact";
import { Field } from "./field";

interface TextAreaProps {
  readonly label: string;
  readonly value: string;
  readonly onValue: (value: string) => void;
  readonly hint?: ComponentChildren;
  readonly fault?: string | undefined;
  readonly required?: boolean;
  readonly area?: JSX.IntrinsicElements["textarea"];
}

/** A text of several lines. */
export function TextArea({ value, onValue, area = {}, ...field }: TextAreaProps) {
  return (
    <Field {...field}>
      {(ties) => (
        <textarea {...area} {...ties} value={value} onInput={(event) => onValue(event.currentTarget.value)} />
      )}
    </Field>
  );
}
