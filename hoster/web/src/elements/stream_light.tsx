import type { StreamState } from "@/live/follow";
import { explain } from "@/problems/explanation";

/** Whether what is shown is live, in a word. */
export function StreamLight({ state }: { readonly state: StreamState }) {
  return (
    <span class={`stream-light is-${state.kind}`} role="status">
      <span class="dot" aria-hidden="true" />
      {wordOf(state)}
    </span>
  );
}

function wordOf(state: StreamState): string {
  switch (state.kind) {
    case "idle":
      return "Not live: it is on no machine";
    case "live":
      return "Live";
    case "connecting":
      return "Connecting";
    case "paused":
      return "Paused while hidden";
    case "ended":
      return "Ended";
    case "waiting":
      return state.problem === null ? "Reconnecting" : `Waiting: ${explain(state.problem).what}`;
    case "refused":
      return explain(state.problem).what;
  }
}
