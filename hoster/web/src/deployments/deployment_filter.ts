/** Which deployments are shown. */
import { hasWords } from "@/elements/words";
import type { Deployment } from "./deployment";

export interface DeploymentFilter {
  readonly text: string;
  /** Null: in any state. */
  readonly state: string | null;
}

export function isNarrow({ text, state }: DeploymentFilter): boolean {
  return text.trim() !== "" || state !== null;
}

/** By their names and addresses. */
export function chosen(
  deployments: readonly Deployment[],
  { text, state }: DeploymentFilter,
): readonly Deployment[] {
  return deployments.filter(
    (one) => (state === null || one.status === state) && hasWords([one.name, ...one.hosts], text),
  );
}

/** The states there are, and the one that was chosen even when none is in it any more. */
export function statesOf(deployments: readonly Deployment[], chosenState: string | null): readonly string[] {
  const states = new Set(deployments.map((one) => one.status));
  if (chosenState !== null) states.add(chosenState);
  return [...states].sort();
}
