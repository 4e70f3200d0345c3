import { useQuery } from "@tanstack/preact-query";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";
import type { Resources } from "@/templates/template";

export interface Bootstrap {
  readonly status: "waiting" | "running" | "done" | "failed";
  readonly host: string;
  readonly user: string;
  readonly host_key_fingerprint: string | null;
  readonly host_key_pinned: boolean;
  readonly reason: string | null;
  readonly log: readonly { readonly at: string; readonly message: string }[];
}

export interface Node {
  readonly id: string;
  readonly name: string;
  readonly status: "joining" | "online" | "offline" | "maintenance";
  readonly public: boolean;
  /** For its owner alone. */
  readonly address: string | null;
  readonly capabilities: readonly string[];
  readonly capacity: Resources & { readonly used: Resources };
  readonly location: string;
  readonly version: string;
  readonly last_seen_at: string | null;
  /** Its installation over SSH, for its owner. */
  readonly bootstrap?: Bootstrap | null;
}

export interface NewNode extends Node {
  /** Shown once. */
  readonly join_token: string;
  readonly join_command: string;
}

const LOOK_WHILE_JOINING_MS = 2_000;

export function nodePath(id: string): string {
  return `/api/v1/nodes/${encodeURIComponent(id)}`;
}

/** One of them; null asks for none. */
export function useNode(id: string | null) {
  return useQuery({
    queryKey: ["node", id],
    queryFn: () => request<Node>(nodePath(id ?? "")),
    enabled: id !== null,
  });
}

function isOnItsWay(node: Node): boolean {
  const installing = node.bootstrap?.status === "waiting" || node.bootstrap?.status === "running";
  return installing || node.status === "joining";
}

export function useNodes() {
  return useList<Node>(["nodes"], "/api/v1/nodes");
}

/** Asked again while a machine is on its way, for who waits for it. */
export function useNodesComing() {
  return useList<Node>(["nodes"], "/api/v1/nodes", {
    lookAgain: (nodes) => (nodes.some(isOnItsWay) ? LOOK_WHILE_JOINING_MS : false),
  });
}
