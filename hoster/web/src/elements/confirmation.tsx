import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { ProblemNotice } from "./problem_notice";

interface ConfirmationProps {
  readonly title: string;
  readonly verb: string;
  readonly children: ComponentChildren;
  readonly onClose: () => void;
  /** What is confirmed; the dialog stays open, with the reason, when it fails. */
  readonly onConfirm: () => Promise<unknown>;
  readonly ready?: boolean;
}

/** Asks before something is lost. */
export function Confirmation({ title, verb, children, onClose, onConfirm, ready = true }: ConfirmationProps) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const confirm = async () => {
    setBusy(true);
    try {
      await onConfirm();
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div class="dialog-body">
        {children}
        <ProblemNotice problem={problem} />
      </div>
      <div class="dialog-foot">
        <Button onClick={onClose}>Cancel</Button>
        <Button kind="danger" busy={busy} disabled={!ready} onClick={confirm}>
          {verb}
        </Button>
      </div>
    </Dialog>
  );
}
