import { Problem, problemOf } from "@/problems/problem";
import { currentSession, endSession } from "./session";

const DEADLINE_MS = 25_000;
const PAUSE_MS = 400;
const IDEMPOTENCY_KEY = "Idempotency-Key";
/** What ends a session; any other 401 is about the request. */
const SESSION_OVER = new Set(["missing_credentials", "invalid_token", "token_expired", "token_revoked"]);

export interface Call {
  readonly method?: "GET" | "POST" | "PATCH" | "DELETE";
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** A POST that does no harm when it is performed twice. */
  readonly repeatable?: boolean;
  readonly signal?: AbortSignal;
}

/** One exchange with the API as the person who is signed in. Throws Problem; an ended session also signs out. */
export async function request<Answer>(path: string, call: Call = {}): Promise<Answer> {
  const response = await exchange(path, call);
  if (response.status === 204) return undefined as Answer;
  return (await response.json()) as Answer;
}

/** The response itself, for those who need its header fields. Throws Problem for everything but 2xx. */
export async function exchange(path: string, call: Call = {}): Promise<Response> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), DEADLINE_MS);
  call.signal?.addEventListener("abort", () => deadline.abort(), { once: true });
  try {
    return await accepted(path, underKey(path, call), deadline.signal);
  } catch (error) {
    if (error instanceof Problem || call.signal?.aborted) throw error;
    if (!navigator.onLine) throw new Problem(0, "offline", "This device is offline.");
    const detail = deadline.signal.aborted
      ? `The platform did not answer within ${DEADLINE_MS / 1000} seconds.`
      : "The platform cannot be reached.";
    throw new Problem(0, "unreachable", detail);
  } finally {
    clearTimeout(timer);
  }
}

async function accepted(path: string, call: Call, signal: AbortSignal): Promise<Response> {
  const session = currentSession();
  const token = session?.token;
  const response = await sentSafely(path, call, signal, token);
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (session === null || !isSessionOver(problem)) throw problem;
  const now = currentSession();
  // Another tab may have renewed the session while this request was under way. If somebody else has signed in, it is not theirs.
  if (now !== null && now.token !== token && now.owner === session.owner) return accepted(path, call, signal);
  if (now?.token === token) endSession();
  throw problem;
}

export function isSessionOver(problem: Problem): boolean {
  return problem.status === 401 && SESSION_OVER.has(problem.code);
}

/** Every order to the API goes under a key of its own: however often it is sent, it is performed once. The gateway's own take none. */
function underKey(path: string, call: Call): Call {
  if (call.method !== "POST" || !path.startsWith("/api/") || call.headers?.[IDEMPOTENCY_KEY] !== undefined)
    return call;
  return { ...call, headers: { ...call.headers, [IDEMPOTENCY_KEY]: newIdempotencyKey() } };
}

/**
 * What may be sent twice is sent again, once, when the network broke it off: an order under an idempotency key is performed once,
 * a change is of one revision, and what was removed stays removed. Throws what fetch does.
 */
async function sentSafely(
  path: string,
  call: Call,
  signal: AbortSignal,
  token: string | undefined,
): Promise<Response> {
  const sent = send(path, call, signal, token);
  if (!mayBeSentTwice(call)) return sent;
  try {
    return await sent;
  } catch (error) {
    if (signal.aborted || !navigator.onLine) throw error;
    await new Promise((done) => setTimeout(done, PAUSE_MS));
    const again = await send(path, call, signal, token);
    // The first one has removed it.
    return call.method === "DELETE" && again.status === 404 ? new Response(null, { status: 204 }) : again;
  }
}

function mayBeSentTwice({ method, headers, repeatable = false }: Call): boolean {
  return repeatable || method === "PATCH" || method === "DELETE" || headers?.[IDEMPOTENCY_KEY] !== undefined;
}

function send(path: string, call: Call, signal: AbortSignal, token: string | undefined): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...call.headers };
  if (token !== undefined) headers.Authorization = `Bearer ${token}`;
  if (call.body !== undefined) headers["Content-Type"] = "application/json";
  return fetch(path, {
    method: call.method ?? "GET",
    headers,
    signal,
    cache: "no-store",
    ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
  });
}

/** For a POST that may be sent again: the platform performs it once. Not from `crypto.randomUUID`, which plain HTTP does not have. */
export function newIdempotencyKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (octet) =>
    octet.toString(16).padStart(2, "0"),
  ).join("");
}
