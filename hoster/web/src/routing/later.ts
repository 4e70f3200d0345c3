import type { ComponentType } from "preact";
import { lazy } from "preact/compat";
import { Problem } from "@/problems/problem";

/** A part of the console that is fetched when it is first shown. */
export function later<Props>(load: () => Promise<{ default: ComponentType<Props> }>): ComponentType<Props> {
  return lazy(() => load().catch(notFetched)) as ComponentType<Props>;
}

function notFetched(): never {
  // After an upgrade of the platform, the parts that an older page names are gone.
  const code = navigator.onLine ? "part_not_fetched" : "offline";
  throw new Problem(0, code, "This part of the console could not be fetched.");
}
