import type { ComponentChildren } from "preact";

export interface ButtonProps {
  readonly children: ComponentChildren;
  readonly onClick?: () => void;
  readonly kind?: "plain" | "primary" | "danger";
  readonly type?: "button" | "submit";
  readonly small?: boolean;
  readonly disabled?: boolean;
  /** Work is under way; pressing the button does nothing meanwhile. It is not disabled, which would take the focus from it. */
  readonly busy?: boolean;
  /** For a button that stays pressed. */
  readonly pressed?: boolean;
  /** For a button that opens something beside it. */
  readonly expanded?: boolean;
  /** What it says to those who cannot see its sign. */
  readonly label?: string;
}

export function Button({
  kind = "plain",
  type = "button",
  small = false,
  busy = false,
  ...rest
}: ButtonProps) {
  const classes = ["button", `is-${kind}`, small && "is-small"].filter(Boolean).join(" ");
  return (
    <button
      type={type}
      class={classes}
      disabled={rest.disabled}
      aria-busy={busy}
      aria-disabled={busy || undefined}
      aria-pressed={rest.pressed}
      aria-expanded={rest.expanded}
      aria-label={rest.label}
      onClick={busy ? undefined : rest.onClick}
    >
      {rest.children}
    </button>
  );
}
