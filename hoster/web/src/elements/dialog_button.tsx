import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Button, type ButtonProps } from "./button";

interface DialogButtonProps extends Omit<ButtonProps, "children" | "onClick" | "type"> {
  readonly verb: string;
  /** Draws the dialog; what it is given closes it. */
  readonly children: (close: () => void) => JSX.Element;
}

/** A button that opens a dialog. */
export function DialogButton({ verb, children, ...look }: DialogButtonProps) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button {...look} onClick={() => setOpen(true)}>
        {verb}
      </Button>
      {open && children(() => setOpen(false))}
    </>
  );
}
