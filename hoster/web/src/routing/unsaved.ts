/** Work that would be lost with the page it is on. */
import { useEffect } from "preact/hooks";

const unsaved = new Set<object>();

/** Asks the person when there is any. */
export function mayLeave(): boolean {
  return (
    unsaved.size === 0 || window.confirm("Leave this page? What you have entered here and not saved is lost.")
  );
}

/** While it is so, the person is asked before a link, the back button or the closing of the tab leaves the page. */
export function useUnsaved(isSo: boolean): void {
  useEffect(() => {
    if (!isSo) return;
    const mine = {};
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    unsaved.add(mine);
    window.addEventListener("beforeunload", ask);
    return () => {
      unsaved.delete(mine);
      window.removeEventListener("beforeunload", ask);
    };
  }, [isSo]);
}
