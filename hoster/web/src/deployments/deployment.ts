import { useQuery, useQueryClient } from "@tanstack/preact-query";
import { useEffect, useRef } from "preact/hooks";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";
import type { Resources, Scalar } from "@/templates/template";
import { type DeploymentFilter, queryOf } from "./deployment_filter";

export interface GitSource {
  readonly url: string;
  readonly ref: string;
  readonly ssh_key_id?: string | null;
}

export interface Source {
  readonly image?: string;
  readonly git?: GitSource;
  readonly port: number;
}

export type Variables = Readonly<Record<string, Scalar>>;

export interface Deployment {
  readonly id: string;
  readonly name: string;
  readonly template_id: string | null;
  readonly template_revision: number | null;
  readonly source: Source | null;
  readonly visibility: "public" | "private";
  readonly status: string;
  readonly status_reason: string | null;
  readonly node_id: string | null;
  readonly url: string;
  readonly hosts: readonly string[];
  /** `***` for what is secret. */
  readonly variables: Variables;
  /** Fields that were saved and are not yet in force. */
  readonly pending_changes?: readonly string[];
  readonly resources: Resources;
  readonly release_id: string | null;
  readonly created_at: string;
  readonly updated_at: string;
  readonly started_at: string | null;
  readonly stopped_at: string | null;
}

/** Not `pending`: that one was created without being started, and waits for its owner. */
const MOVING = new Set(["scheduled", "starting", "stopping", "deleting"]);
const LOOK_WHILE_MOVING_MS = 1_000;
const A_PAGE = 50;
const COLLECTION = "/api/v1/deployments";

/** Something is being done to it, so its state will change by itself. */
export function isMoving(deployment: Deployment): boolean {
  return MOVING.has(deployment.status);
}

export function pathOf(id: string): string {
  return `${COLLECTION}/${encodeURIComponent(id)}`;
}

/** Asked again only while something moves, the longer the list the less often; at rest nothing is asked. */
export function useDeployments() {
  return useList<Deployment>(["deployments"], COLLECTION, { lookAgain });
}

/** What the API finds, for a list that is not all here. */
export function useFoundDeployments(filter: DeploymentFilter, wanted: boolean) {
  const query = queryOf(filter);
  return useList<Deployment>(["deployments", "found", query], `${COLLECTION}?${query}`, {
    lookAgain,
    wanted: wanted && query !== "",
    staysMeanwhile: true,
  });
}

function lookAgain(items: readonly Deployment[]): number | false {
  return items.some(isMoving) ? LOOK_WHILE_MOVING_MS * Math.ceil(items.length / A_PAGE) : false;
}

export function useDeployment(id: string) {
  const found = useQuery({
    queryKey: ["deployment", id],
    queryFn: () => request<Deployment>(pathOf(id)),
    refetchInterval: (query) =>
      query.state.data !== undefined && isMoving(query.state.data) ? LOOK_WHILE_MOVING_MS : false,
  });
  useUpdatedParts(found.data);
  return found;
}

/** Once a deployment has changed, what the page shows of its parts (its releases, its events) is of before. */
function useUpdatedParts(deployment: Deployment | undefined): void {
  const queries = useQueryClient();
  const seen = useRef<Deployment | undefined>(undefined);
  useEffect(() => {
    const before = seen.current;
    seen.current = deployment;
    if (before === undefined || deployment === undefined) return;
    if (before.id !== deployment.id || before.updated_at === deployment.updated_at) return;
    const isPart = (query: { readonly queryKey: readonly unknown[] }) => query.queryKey.length > 2;
    void queries.invalidateQueries({ queryKey: ["deployment", deployment.id], predicate: isPart });
  }, [queries, deployment]);
}
