import { useEffect, useState } from "preact/hooks";
import { ago, dateAndTime } from "./dates";

const LOOK_EVERY_MS = 5_000;

/** A time as people say it, which goes on with the clock, with the exact one behind it. */
export function Moment({ at }: { readonly at: string | null }) {
  const now = useNow();
  if (at === null || at === "") return <span>never</span>;
  const moment = new Date(at);
  return (
    <time dateTime={at} title={dateAndTime(moment)}>
      {ago(moment, now)}
    </time>
  );
}

const watching = new Set<(now: Date) => void>();
let clock: ReturnType<typeof setInterval> | undefined;

/** One clock for all moments of the page. */
function useNow(): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    watching.add(setNow);
    clock ??= setInterval(tick, LOOK_EVERY_MS);
    return () => {
      watching.delete(setNow);
      if (watching.size > 0) return;
      clearInterval(clock);
      clock = undefined;
    };
  }, []);
  return now;
}

function tick(): void {
  if (document.hidden) return;
  const now = new Date();
  for (const set of watching) set(now);
}
