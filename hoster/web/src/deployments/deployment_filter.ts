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

/** As the API is asked for it: by their names. */
export function queryOf({ text, state }: DeploymentFilter): string {
  const asked = new URLSearchParams();
  if (text.trim() !== "") asked.set("q", text.trim());
  if (state !== null) asked.set("status", state);
  return asked.toString();
}

/** Those that are here, by their names and addresses. */
export function chosen(
  deployments: readonly Deployment[],
  { text, state }: DeploymentFilter,
): readonly Deployment[] {
  return deployments.filter(
    (one) => (state === null || one.status === state) && hasWords([one.name, ...one.hosts], text),
  );
}

const STATES = ["pending", "scheduled", "starting", "running", "stopping", "stopped", "deleting", "failed"];

/** The states there are, and the one that was chosen even when none is in it any more; any, where not all of them are here. */
export function statesOf(
  deployments: readonly Deployment[],
  chosenState: string | null,
  isAll: boolean,
): readonly string[] {
  const states = new Set(isAll ? deployments.map((one) => one.status) : STATES);
  if (chosenState !== null) states.add(chosenState);
  return [...states].sort();
}
