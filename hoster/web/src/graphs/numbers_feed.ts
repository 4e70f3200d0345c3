import { Changes } from "@/live/changes";
import type { StreamEvent } from "@/live/event_parser";
import { currentOwner, onSessionChange } from "@/session/session";
import { forgetNumbers, keepNumbers, keptNumbers } from "./kept_numbers";
import { type Reading, Series } from "./series";

/** The numbers of one deployment as far as this tab has seen them: the platform itself keeps none of the past. */
export class NumbersFeed {
  readonly changes = new Changes();

  constructor(readonly series: Series) {}

  take(events: readonly StreamEvent[]): void {
    const readings = events.filter((event) => event.name === "stats");
    for (const event of readings) this.series.add(JSON.parse(event.data) as Reading);
    if (readings.length > 0) this.changes.announce();
  }
}

const MOST_DEPLOYMENTS = 20;
const kept = new Map<string, NumbersFeed>();

// What one account has seen is not kept for the next one.
let owner = currentOwner();
onSessionChange(() => {
  if (currentOwner() === owner) return;
  owner = currentOwner();
  kept.clear();
  forgetNumbers();
});

window.addEventListener("pagehide", () => {
  if (currentOwner() !== null) keepNumbers([...kept].map(([id, feed]) => [id, feed.series.state()]));
});

/** Kept while the tab lives, so that going to another page and back does not empty the graphs, and a reload does not either. */
export function numbersOf(id: string): NumbersFeed {
  const found = kept.get(id) ?? newFeed(id);
  kept.delete(id);
  kept.set(id, found);
  const oldest = kept.keys().next().value;
  if (kept.size > MOST_DEPLOYMENTS && oldest !== undefined) kept.delete(oldest);
  return found;
}

function newFeed(id: string): NumbersFeed {
  const state = keptNumbers(id, Date.now() / 1000);
  return new NumbersFeed(state === null ? new Series() : Series.from(state));
}
