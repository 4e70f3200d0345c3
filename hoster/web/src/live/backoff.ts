const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** How long to wait before try `attempt` (0 is the first repeat), spread so that many tabs do not come back at once. */
export function backoff(attempt: number, spread: number = Math.random()): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt) * (0.75 + spread / 2);
}
