import { QueryClient, QueryClientProvider } from "@tanstack/preact-query";
import { useEffect, useRef, useState } from "preact/hooks";
import { pageAt } from "./pages/pages";
import { Shell } from "./pages/shell";
import { Problem } from "./problems/problem";
import { currentPath, go, useLocation } from "./routing/location";
import { safeDestination } from "./routing/pattern";
import { currentOwner, onSessionChange } from "./session/session";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // Only what may pass by itself is tried again, and only twice: then the reason is shown.
      retry: (failures, error) =>
        failures < 2 && error instanceof Problem && [0, 502, 504].includes(error.status),
      retryDelay: (attempt) => 400 * 2 ** attempt,
    },
  },
});

export function Console() {
  const owner = useOwner();
  const signedIn = owner !== null;
  const location = useLocation();
  const page = pageAt(location.pathname);
  const mustSignIn = !signedIn && !page.open;
  const mustLeave = signedIn && page.open && page.name !== "not-found";

  useEffect(() => {
    if (mustSignIn) go(`/sign-in?next=${encodeURIComponent(currentPath())}`, { replace: true });
    else if (mustLeave) go(safeDestination(location.searchParams.get("next")), { replace: true });
  }, [mustSignIn, mustLeave, location.searchParams]);

  if (mustSignIn || mustLeave) return null;
  return (
    <QueryClientProvider client={queries}>
      <Shell key={owner ?? ""} signedIn={signedIn} path={location.pathname}>
        {page.draw()}
      </Shell>
    </QueryClientProvider>
  );
}

/** Who is signed in. What one account has seen is not kept for the next one, which another tab may have signed in in one go. */
function useOwner(): string | null {
  const [owner, setOwner] = useState(currentOwner);
  const before = useRef(owner);
  useEffect(
    () =>
      onSessionChange(() => {
        const now = currentOwner();
        if (now !== before.current) queries.clear();
        before.current = now;
        setOwner(now);
      }),
    [],
  );
  return owner;
}
