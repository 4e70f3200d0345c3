import { useState } from "preact/hooks";
import { Problem } from "@/problems/problem";

export interface Submission {
  readonly busy: boolean;
  readonly problem: unknown;
  submit(event?: Event): void;
  /** What the API said about a field. */
  fault(field: string): string | undefined;
}

/** Sends a form once at a time and keeps what went wrong. */
export function useSubmit(send: () => Promise<unknown>): Submission {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const run = async (form: HTMLFormElement | null) => {
    setBusy(true);
    setProblem(null);
    try {
      await send();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
      if (form !== null) requestAnimationFrame(() => toFault(form));
    }
  };
  return {
    busy,
    problem,
    submit: (event) => {
      event?.preventDefault();
      const sender = event?.currentTarget;
      if (!busy) void run(sender instanceof HTMLFormElement ? sender : null);
    },
    fault: (field) => (problem instanceof Problem ? problem.fault(field) : undefined),
  };
}

/** To the first field that was refused, so that it is read out and can be corrected at once. */
function toFault(form: HTMLFormElement): void {
  const field = form.querySelector<HTMLElement>("[aria-invalid='true']");
  field?.closest("details")?.setAttribute("open", "");
  field?.focus();
}
