import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "./button";
import { ProblemNotice } from "./problem_notice";
import type { Submission } from "./use_submit";

interface DialogFormProps {
  readonly form: Submission;
  /** What its button says. */
  readonly verb: string;
  readonly kind?: "primary" | "danger";
  /** Whether it can be sent as it is filled in. */
  readonly ready?: boolean;
  readonly onCancel: () => void;
  readonly children: ComponentChildren;
}

/** The form in a dialog: its fields, why it was refused, and the way out of it and on. */
export function DialogForm({
  form,
  verb,
  kind = "primary",
  ready = true,
  onCancel,
  children,
}: DialogFormProps) {
  return (
    <form onSubmit={form.submit}>
      <div class="dialog-body">
        {children}
        <ProblemNotice problem={form.problem} />
      </div>
      <div class="dialog-foot">
        <Button onClick={onCancel}>Cancel</Button>
        <Button kind={kind} type="submit" busy={form.busy} disabled={!ready}>
          {verb}
        </Button>
      </div>
    </form>
  );
}

interface DialogResultProps {
  readonly verb: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** What a dialog shows once its form was accepted. */
export function DialogResult({ verb, onClose, children }: DialogResultProps) {
  const body = useRef<HTMLDivElement>(null);
  // The button that was pressed is gone; what is to be copied comes next.
  useLayoutEffect(() => {
    const dialog = body.current?.closest("dialog");
    dialog?.querySelector<HTMLElement>(":is(.dialog-body, .dialog-foot) button")?.focus();
  }, []);
  return (
    <>
      <div ref={body} class="dialog-body">
        {children}
      </div>
      <div class="dialog-foot">
        <Button kind="primary" onClick={onClose}>
          {verb}
        </Button>
      </div>
    </>
  );
}
