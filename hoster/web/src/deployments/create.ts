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
    if (error instanceof Problem && error.status === 0) unanswered = { body: text, key };
    throw error;
  }
}
