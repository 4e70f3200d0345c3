import { useQueryClient } from "@tanstack/preact-query";
import { useMemo, useRef } from "preact/hooks";
import { type NumbersFeed, numbersOf } from "@/graphs/numbers_feed";
import type { StreamEvent } from "@/live/event_parser";
import type { StreamState } from "@/live/follow";
import { useStream } from "@/live/use_stream";
import { Log } from "@/logs/log";
import { type Deployment, isMoving, pathOf } from "./deployment";

const TAIL = 1000;

/** What is live about a deployment. It comes over one connection: a browser opens only a few to one host, for all tabs together. */
export interface Live {
  readonly log: Log;
  readonly numbers: NumbersFeed;
  readonly state: StreamState;
}

export function useLive(id: string, deployment: Deployment | undefined): Live {
  const queries = useQueryClient();
  const { log, numbers } = useMemo(() => ({ log: new Log(), numbers: numbersOf(id) }), [id]);
  const missed = useRef(false);
  // What happens at the machine makes what the page shows old.
  const lookAgain = () => void queries.invalidateQueries({ queryKey: ["deployment", id] });
  const take = (events: readonly StreamEvent[]) => {
    log.take(events);
    numbers.take(events);
    if (events.some((event) => event.name === "event" || event.name === "events-gap")) lookAgain();
  };
  const state = useStream(isSomewhere(deployment) ? streamOf(id) : null, take, (now) => {
    if (now.kind === "waiting" || now.kind === "paused") missed.current = true;
    if (now.kind !== "live") return;
    // The machine answers: what it did not answer before is asked again, and everything after a time of not listening.
    if (missed.current) lookAgain();
    else void queries.refetchQueries({ queryKey: ["deployment", id], predicate: hasFailed });
    missed.current = false;
  });
  return { log, numbers, state };
}

function hasFailed(query: { readonly state: { readonly status: string } }): boolean {
  return query.state.status === "error";
}

/** On a machine, or on its way to one: otherwise there is nothing to follow. */
function isSomewhere(deployment: Deployment | undefined): boolean {
  return deployment !== undefined && (deployment.node_id !== null || isMoving(deployment));
}

function streamOf(id: string): string {
  return `${pathOf(id)}/monitoring/stream?tail=${TAIL}`;
}
