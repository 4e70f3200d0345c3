import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "./button";
import { focusHeadingIfNowhere } from "./page_heading";

const FIRST_FIELD = ".dialog-body :is(input:not([type='checkbox']), select, textarea)";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** A modal dialog: the browser keeps the focus inside, closes it with Escape, and gives the focus back. */
export function Dialog({ title, onClose, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const heading = useId();
  // Before the next key can move the focus on: what had it is what gets it back.
  useLayoutEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    // What is to be filled in comes before the cross that closes.
    dialog?.querySelector<HTMLElement>(FIRST_FIELD)?.focus();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
      // What opened it may be gone with what was removed.
      setTimeout(focusHeadingIfNowhere);
    };
  }, []);
  return (
    <dialog ref={element} class="dialog" aria-labelledby={heading} onClose={onClose} onCancel={onClose}>
      <div class="dialog-head">
        <h2 id={heading}>{title}</h2>
        <Button small onClick={onClose} label="Close">
          ✕
        </Button>
      </div>
      {children}
    </dialog>
  );
}
