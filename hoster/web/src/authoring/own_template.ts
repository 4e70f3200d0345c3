import { useQuery } from "@tanstack/preact-query";
import { exchange } from "@/session/request";
import type { Template } from "@/templates/template";

/** With the tag that says which state of it was read, so that nobody's change is written over. */
export interface Tagged {
  readonly template: Template;
  readonly etag: string;
}

export function templatePath(id: string): string {
  return `/api/v1/templates/${encodeURIComponent(id)}`;
}

export async function tagged(response: Promise<Response>): Promise<Tagged> {
  const found = await response;
  return { template: (await found.json()) as Template, etag: found.headers.get("ETag") ?? "*" };
}

export function useTaggedTemplate(id: string | null) {
  return useQuery({
    queryKey: ["own-template", id],
    queryFn: () => tagged(exchange(templatePath(id ?? ""))),
    enabled: id !== null,
  });
}
