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
  const run = async () => {
    setBusy(true);
    setProblem(null);
    try {
      await send();
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return {
    busy,
    problem,
    submit: (event) => {
      event?.preventDefault();
      if (!busy) void run();
    },
    fault: (field) => (problem instanceof Problem ? problem.fault(field) : undefined),
  };
}
