import type { EntryProps } from "./field";
import { TextField } from "./text_field";

/** What a person calls something of theirs. */
export function NameField(props: Omit<EntryProps<string>, "label">) {
  return <TextField label="Name" required input={{ maxLength: 100 }} {...props} />;
}
