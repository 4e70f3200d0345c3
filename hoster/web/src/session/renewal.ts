import { request } from "./request";
import { beginSession, currentOwner, currentSession } from "./session";

const LOOK_EVERY_MS = 60_000;
const LOCK = "console.renewal";

interface Renewed {
  readonly token: string;
  readonly expires_in: number;
}

/** Renews the session when half of its life is over, in one tab for all of them. Failure policy: the old one is used to its end. */
export function keepSessionFresh(): void {
  const look = () => void renewWhenDue();
  setInterval(look, LOOK_EVERY_MS);
  document.addEventListener("visibilitychange", look);
  look();
}

async function renewWhenDue(): Promise<void> {
  if (document.hidden || !isDue()) return;
  // Web Locks exist in secure contexts only; elsewhere two tabs may renew at once, and the later session wins.
  if ("locks" in navigator)
    await navigator.locks.request(LOCK, { ifAvailable: true }, (lock) => lock && renew());
  else await renew();
}

function isDue(): boolean {
  const session = currentSession();
  return session !== null && Date.now() > (session.issuedAt + session.expiresAt) / 2;
}

async function renew(): Promise<void> {
  const owner = currentOwner();
  if (owner === null || !isDue()) return;
  try {
    const renewed = await request<Renewed>("/mod/auth/refresh", { method: "POST" });
    // Meanwhile somebody may have signed out, or somebody else in.
    if (currentOwner() === owner) beginSession(owner, renewed.token, renewed.expires_in);
  } catch {
    // Whatever is wrong, the next request of the person will say it.
  }
}
