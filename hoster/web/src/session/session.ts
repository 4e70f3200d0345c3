/** Who is signed in, kept in localStorage so that every tab knows it. Nothing else of the account is stored. */

export interface Session {
  readonly token: string;
  /** The id of the user. */
  readonly owner: string;
  /** Milliseconds since 1970. */
  readonly issuedAt: number;
  readonly expiresAt: number;
}

type Listener = () => void;

const PLACE = "console.session";
const listeners = new Set<Listener>();

export function currentSession(): Session | null {
  const text = localStorage.getItem(PLACE);
  if (text === null) return null;
  try {
    const found: unknown = JSON.parse(text);
    return isSession(found) ? found : null;
  } catch {
    return null;
  }
}

export function beginSession(owner: string, token: string, expiresInSeconds: number): void {
  const now = Date.now();
  const session: Session = { token, owner, issuedAt: now, expiresAt: now + expiresInSeconds * 1000 };
  localStorage.setItem(PLACE, JSON.stringify(session));
  announce();
}

export function endSession(): void {
  localStorage.removeItem(PLACE);
  announce();
}

export function currentOwner(): string | null {
  return currentSession()?.owner ?? null;
}

/** Calls `listener` when somebody signs in or out, in this tab or another; returns how to stop that. */
export function onSessionChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

window.addEventListener("storage", (event) => {
  if (event.key === PLACE || event.key === null) announce();
});

// A page that the browser had put away has not heard what happened meanwhile.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) announce();
});

function announce(): void {
  for (const listener of listeners) listener();
}

function isSession(value: unknown): value is Session {
  const fields = value as Partial<Session> | null;
  return (
    typeof fields?.token === "string" &&
    typeof fields.owner === "string" &&
    typeof fields.expiresAt === "number" &&
    typeof fields.issuedAt === "number"
  );
}
