import { ChoiceField } from "@/elements/choice_field";
import type { EntryProps } from "@/elements/field";

export type Visibility = "public" | "private";

const CHOICES = [
  ["public", "Public: anybody may open it"],
  ["private", "Private: my organisation only"],
] as const;

/** Who may open an app. */
export function VisibilityField(props: Omit<EntryProps<Visibility>, "label">) {
  return (
    <ChoiceField
      label="Visibility"
      required
      choices={CHOICES}
      hint="Private apps answer your organisation only, with its token."
      {...props}
    />
  );
}
