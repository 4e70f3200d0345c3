import { Problem } from "@/problems/problem";
import { newIdempotencyKey, request } from "@/session/request";
import type { Deployment } from "./deployment";

interface Unanswered {
  readonly body: string;
  readonly key: string;
}

let unanswered: Unanswered | null = null;

/** Sent again after silence it is the same request, so one press of a button never makes two deployments. */
export async function createDeployment(body: object): Promise<Deployment> {
  const text = JSON.stringify(body);
  const key = unanswered?.body === text ? unanswered.key : newIdempotencyKey();
  unanswered = null;
  try {
    return await request<Deployment>("/api/v1/deployments", {
      method: "POST",
      body,
      headers: { "Idempotency-Key": key },
    });
  } catch (error) {
    if (isUnanswered(error)) unanswered = { body: text, key };
    throw error;
  }
}

/** By Hoster, whatever the way to it has answered: it may have been done, or be about to be. */
function isUnanswered(error: unknown): boolean {
  return (
    error instanceof Problem &&
    ([0, 502, 504].includes(error.status) || error.code === "idempotency_key_in_use")
  );
}
