import { useQuery } from "@tanstack/preact-query";
import { hasWords } from "@/elements/words";
import { request } from "@/session/request";
import { useList, useRest } from "@/session/use_list";

export type Scalar = string | number | boolean;

export interface Variable {
  readonly name: string;
  readonly label: string;
  readonly type: "string" | "number" | "boolean" | "password" | "select";
  /** `***` where a secret one is set. */
  readonly default: Scalar | null;
  readonly required: boolean;
  readonly options: readonly string[];
  /** Matches the whole value. */
  readonly pattern: string | null;
}

export interface Resources {
  readonly cpu_cores: number;
  readonly memory_mb: number;
  readonly disk_mb: number;
}

export interface Template {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly description: string;
  readonly category: string;
  readonly tags: readonly string[];
  readonly version: string;
  readonly revision: number;
  readonly compose: string;
  readonly variables: readonly Variable[];
  readonly resources: Resources;
  readonly required_capabilities: readonly string[];
  readonly price_monthly_cents: number;
  readonly published: boolean;
  /** Null: shipped with the platform. */
  readonly author_id: string | null;
}

/** All of them: they are searched here, as they are typed. */
export function useTemplates() {
  const templates = useList<Template>(["templates"], "/api/v1/templates?limit=200");
  useRest(templates);
  return templates;
}

export function useTemplate(id: string) {
  return useQuery({
    queryKey: ["template", id],
    queryFn: () => request<Template>(`/api/v1/templates/${encodeURIComponent(id)}`),
  });
}

/** The templates that have every word of `text` somewhere, in one category when it is named. */
export function choose(templates: readonly Template[], text: string, category: string | null): Template[] {
  return templates.filter(
    (template) =>
      (category === null || template.category === category) &&
      hasWords([template.name, template.description, template.category, ...template.tags], text),
  );
}

export function categoriesOf(templates: readonly Template[]): string[] {
  return [...new Set(templates.map((template) => template.category))].sort();
}
