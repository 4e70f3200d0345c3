/** The records of deploys: their steps, what the health check met, and the last lines of a failed one. */
import { useQuery } from "@tanstack/preact-query";
import type { PageOf } from "@/elements/page_list";
import { request } from "@/session/request";
import { type Deployment, isMoving, pathOf } from "./deployment";

export interface Step {
  readonly name: string;
  readonly started_at: string;
  readonly finished_at: string | null;
  readonly detail: string;
}

export interface HealthAttempt {
  readonly at: string;
  readonly outcome: string;
}

export interface Deploy {
  readonly deploy_id: string;
  readonly status: string;
  readonly reason: string | null;
  readonly created_at?: string;
  readonly finished_at?: string | null;
  readonly steps?: readonly Step[];
  readonly health_attempts?: readonly HealthAttempt[];
  readonly log_tail?: readonly string[];
}

const LOOK_WHILE_MOVING_MS = 700;

/** The newest deploy in full. `deployment.updated_at` makes a settled one be read once more. */
export function useNewestDeploy(deployment: Deployment) {
  return useQuery({
    queryKey: ["deployment", deployment.id, "deploy", deployment.status, deployment.release_id],
    queryFn: () => newest(deployment.id),
    placeholderData: (before: Deploy | null | undefined) => before,
    refetchInterval: () => (isMoving(deployment) ? LOOK_WHILE_MOVING_MS : false),
  });
}

async function newest(id: string): Promise<Deploy | null> {
  const { items } = await request<PageOf<Deploy>>(`${pathOf(id)}/deploys?limit=1`);
  const first = items[0];
  if (first === undefined || first.steps !== undefined) return first ?? null;
  return request<Deploy>(`${pathOf(id)}/deploys/${encodeURIComponent(first.deploy_id)}`);
}
