import type { JSX } from "preact";
import { type EntryProps, Field } from "./field";

interface TextAreaProps extends EntryProps<string> {
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
