/** Numbers that outlive a reload of the tab: sessionStorage has them, for this tab alone and until it is closed. */
import type { SeriesState } from "./series";

/** The number is that of the form: what an earlier console has kept in another one is not read. */
const PLACE = "console.numbers.1";
/** A full one takes about a quarter of a megabyte, and a browser gives five. */
const MOST_KEPT = 4;
const OLDEST_S = 2 * 3600;

type Kept = Readonly<Record<string, SeriesState>>;

/** The last of `series` by deployment, newest last, beside what is kept of others. Failure policy: without room none is kept, and the graphs begin anew. */
export function keepNumbers(series: readonly (readonly [id: string, state: SeriesState])[]): void {
  try {
    const all = new Map(Object.entries(read()));
    for (const [id, state] of series) {
      all.delete(id);
      all.set(id, state);
    }
    sessionStorage.setItem(PLACE, JSON.stringify(Object.fromEntries([...all].slice(-MOST_KEPT))));
  } catch {
    forgetNumbers();
  }
}

export function forgetNumbers(): void {
  sessionStorage.removeItem(PLACE);
}

/** What was kept of a deployment, unless it is too old to be drawn beside what comes now (`now` in Unix seconds). */
export function keptNumbers(id: string, now: number): SeriesState | null {
  const found = read()[id];
  const last = found?.times.at(-1);
  return found === undefined || last === undefined || now - last > OLDEST_S ? null : found;
}

function read(): Kept {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE) ?? "{}") as Kept;
  } catch {
    return {};
  }
}
