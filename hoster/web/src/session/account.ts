import { useQuery } from "@tanstack/preact-query";
import { Problem } from "@/problems/problem";
import { request } from "./request";
import { beginSession, endSession } from "./session";

export interface User {
  readonly id: string;
  readonly email: string;
  readonly name: string;
  readonly org_id: string;
  readonly plan_id: string;
  readonly role: "user" | "admin";
  readonly status: "active" | "suspended";
  readonly created_at: string;
}

export interface Limits {
  readonly max_deployments?: number;
  readonly max_cpu_cores?: number;
  readonly max_memory_mb?: number;
  readonly max_disk_mb?: number;
  readonly allowed_capabilities?: readonly string[];
}

export interface Plan {
  readonly id: string;
  /** -1: without limit. */
  readonly requests_per_month: number;
  readonly rate_per_minute: number;
  readonly burst: number;
  readonly limits: Limits;
}

export interface Quota {
  readonly limit: number;
  readonly used: number;
  readonly remaining: number;
  readonly resets_at: string;
}

export interface Account {
  readonly user: User;
  readonly plan: Plan;
  /** Null while the counters cannot be read. */
  readonly quota: Quota | null;
}

interface SignedIn {
  readonly user: Pick<User, "id">;
  readonly token: string;
  readonly expires_in: number;
}

export function useAccount() {
  return useQuery({ queryKey: ["account"], queryFn: () => request<Account>("/mod/auth/me") });
}

export async function signUp(fields: { email: string; password: string; name: string }): Promise<void> {
  const { name, ...required } = fields;
  const body = name.trim() === "" ? required : { ...required, name };
  try {
    accept(await request<SignedIn>("/mod/auth/register", { method: "POST", body }));
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== "unreachable") throw error;
    // The answer was lost: whether the account was made is found out by signing in, which is refused to everybody but its owner.
    await signIn(fields.email, fields.password).catch(() => Promise.reject(error));
  }
}

export async function signIn(email: string, password: string): Promise<void> {
  accept(
    await request<SignedIn>("/mod/auth/login", {
      method: "POST",
      body: { email, password },
      repeatable: true,
    }),
  );
}

/** Signed out here at once and in any case: a platform that does not answer must not keep somebody signed in at this screen. */
export function signOut(): void {
  // Sent with the token of the session that ends here. If it is lost, the token lives until it expires, and nobody has it.
  request("/mod/auth/logout", { method: "POST", repeatable: true }).catch(() => undefined);
  endSession();
}

export function changePassword(current: string, following: string): Promise<void> {
  return request("/mod/auth/password", {
    method: "POST",
    body: { current_password: current, new_password: following },
  });
}

function accept(answer: SignedIn): void {
  beginSession(answer.user.id, answer.token, answer.expires_in);
}
