import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface FieldProps {
  readonly label: string;
  readonly hint?: ComponentChildren;
  readonly fault?: string | undefined;
  readonly required?: boolean;
  /** Draws the control; it gets what ties it to its label, hint and fault. */
  readonly children: (ties: Ties) => JSX.Element;
}

/** A field with one entry. */
export interface EntryProps<Value> extends Omit<FieldProps, "children"> {
  readonly value: Value;
  readonly onValue: (value: Value) => void;
}

export interface Ties {
  readonly id: string;
  readonly "aria-describedby"?: string;
  readonly "aria-invalid"?: boolean;
  readonly required?: boolean;
}

export function Field({ label, hint, fault, required = false, children }: FieldProps) {
  const id = useId();
  const described = [hint !== undefined && `${id}-hint`, fault !== undefined && `${id}-fault`]
    .filter(Boolean)
    .join(" ");
  const ties: Ties = {
    id,
    ...(described === "" ? {} : { "aria-describedby": described }),
    ...(fault === undefined ? {} : { "aria-invalid": true }),
    ...(required ? { required } : {}),
  };
  return (
    <div class="field">
      <label for={id}>
        {label}
        {!required && <span class="optional"> (optional)</span>}
      </label>
      {children(ties)}
      {hint !== undefined && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault !== undefined && (
        <p class="fault" id={`${id}-fault`}>
          {label} {fault}.
        </p>
      )}
    </div>
  );
}
