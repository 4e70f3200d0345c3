import type { ComponentType } from "preact";
import { lazy } from "preact/compat";
import { Problem } from "@/problems/problem";

type Load<Props> = () => Promise<{ default: ComponentType<Props> }>;

/** A browser breaks off what it fetches when its network changes, which the networks of apps do on the machine that runs them. */
const PAUSES_MS = [400, 1_200];

/** A part of the console that is fetched when it is first shown. */
export function later<Props>(load: Load<Props>): ComponentType<Props> {
  return lazy(() => fetched(load)) as ComponentType<Props>;
}

async function fetched<Props>(load: Load<Props>): Promise<{ default: ComponentType<Props> }> {
  for (const pause of PAUSES_MS) {
    try {
      return await load();
    } catch {
      if (!navigator.onLine) return notFetched();
      await new Promise((done) => setTimeout(done, pause));
    }
  }
  return load().catch(notFetched);
}

function notFetched(): never {
  // After an upgrade of the platform, the parts that an older page names are gone.
  const code = navigator.onLine ? "part_not_fetched" : "offline";
  throw new Problem(0, code, "This part of the console could not be fetched.");
}
