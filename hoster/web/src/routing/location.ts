/** Where the person is. One source, so that links, redirects and the back button agree. */
import { useSyncExternalStore } from "preact/compat";

const listeners = new Set<() => void>();

window.addEventListener("popstate", announce);

export function currentPath(): string {
  return window.location.pathname + window.location.search;
}

export function go(path: string, { replace = false } = {}): void {
  if (path === currentPath()) return;
  if (replace) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  if (!replace) window.scrollTo(0, 0);
  announce();
}

export function useLocation(): URL {
  const path = useSyncExternalStore(subscribe, currentPath);
  return new URL(path, window.location.origin);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function announce(): void {
  for (const listener of listeners) listener();
}
