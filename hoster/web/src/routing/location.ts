/** Where the person is. One source, so that links, redirects and the back button agree. */
import { useSyncExternalStore } from "preact/compat";
import { mayLeave } from "./unsaved";

const listeners = new Set<() => void>();

/** The path that is shown, and which entry of the history it is. */
let shown = currentPath();
let place = placeOf(history.state) ?? 0;
history.replaceState({ place }, "");

window.addEventListener("popstate", (event) => {
  // An entry that another than this module has made, such as the skip link, comes after the one before it.
  const arrived = placeOf(event.state) ?? place + 1;
  if (currentPath() !== shown && arrived !== place && !mayLeave()) return history.go(place - arrived);
  place = arrived;
  announce();
});

export function currentPath(): string {
  return window.location.pathname + window.location.search;
}

export function go(path: string, { replace = false } = {}): void {
  if (path === currentPath()) return;
  if (!replace) place += 1;
  if (replace) history.replaceState({ place }, "", path);
  else history.pushState({ place }, "", path);
  if (!replace) window.scrollTo(0, 0);
  announce();
}

export function useLocation(): URL {
  const path = useSyncExternalStore(subscribe, () => shown);
  return new URL(path, window.location.origin);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function announce(): void {
  shown = currentPath();
  for (const listener of listeners) listener();
}

function placeOf(state: unknown): number | null {
  const found = (state as { readonly place?: unknown } | null)?.place;
  return typeof found === "number" ? found : null;
}
