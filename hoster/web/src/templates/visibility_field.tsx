import { ChoiceField } from "@/elements/choice_field";

export type Visibility = "public" | "private";

const CHOICES = [
  ["public", "Public: anybody may open it"],
  ["private", "Private: my organisation only"],
] as const;

interface VisibilityFieldProps {
  readonly visibility: Visibility;
  readonly onVisibility: (visibility: Visibility) => void;
  readonly fault?: string | undefined;
}

/** Who may open an app. */
export function VisibilityField({ visibility, onVisibility, fault }: VisibilityFieldProps) {
  return (
    <ChoiceField
      label="Visibility"
      required
      value={visibility}
      onValue={onVisibility}
      choices={CHOICES}
      fault={fault}
      hint="Private apps answer your organisation only, with its token."
    />
  );
}
