import { useList } from "@/session/use_list";
import type { Resources } from "@/templates/template";

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

/** Asked again only while a machine is on its way. */
export function useNodes() {
  return useList<Node>(["nodes"], "/api/v1/nodes", {
    lookAgain: (nodes) => (nodes.some((node) => node.status === "joining") ? LOOK_WHILE_JOINING_MS : false),
  });
}
