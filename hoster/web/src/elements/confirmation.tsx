import type { ComponentChildren } from "preact";
import { Dialog } from "./dialog";
import { DialogForm } from "./dialog_form";
import { useSubmit } from "./use_submit";

interface ConfirmationProps {
  readonly title: string;
  readonly verb: string;
  readonly children: ComponentChildren;
  readonly onClose: () => void;
  /** What is confirmed; the dialog stays open, with the reason, when it fails. */
  readonly onConfirm: () => Promise<unknown>;
  readonly ready?: boolean;
  /** Nothing is lost by it that could not be had again. */
  readonly harmless?: boolean;
}

/** Asks before something is lost. */
export function Confirmation({
  title,
  verb,
  children,
  onClose,
  onConfirm,
  ready = true,
  harmless = false,
}: ConfirmationProps) {
  const form = useSubmit(async () => {
    await onConfirm();
    onClose();
  });
  return (
    <Dialog title={title} onClose={onClose}>
      <DialogForm
        form={form}
        verb={verb}
        kind={harmless ? "primary" : "danger"}
        ready={ready}
        onCancel={onClose}
      >
        {children}
      </DialogForm>
    </Dialog>
  );
}
