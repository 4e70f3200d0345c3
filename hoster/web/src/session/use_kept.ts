import { useEffect, useRef, useState } from "preact/hooks";
import { currentOwner, onSessionChange } from "./session";

interface Kept {
  readonly owner: string;
  readonly value: unknown;
}

/** In the memory of the tab alone: a reload forgets it. */
const kept = new Map<string, Kept>();

/**
 * State of the page that outlives the end of the session: the same person signs in again and finds what they had entered, and
 * nobody else does. `name` tells it from others on the page.
 */
export function useKept<Value>(name: string, first: () => Value) {
  const [place] = useState(() => `${window.location.pathname} ${name}`);
  const [owner] = useState(currentOwner);
  const [fresh] = useState(first);
  const [value, setValue] = useState(() => taken(place, owner, fresh));
  const latest = useRef(value);
  latest.current = value;
  useEffect(
    () =>
      onSessionChange(() => {
        if (currentOwner() !== owner && owner !== null && latest.current !== fresh)
          kept.set(place, { owner, value: latest.current });
      }),
    [place, owner, fresh],
  );
  return [value, setValue, value !== fresh] as const;
}

function taken<Value>(place: string, owner: string | null, fresh: Value): Value {
  const found = kept.get(place);
  kept.delete(place);
  return found !== undefined && found.owner === owner ? (found.value as Value) : fresh;
}
