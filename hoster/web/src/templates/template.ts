import { useQuery } from "@tanstack/preact-query";
import { useEffect } from "preact/hooks";
import { request } from "@/session/request";
import { useList } from "@/session/use_list";

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
  const { hasNextPage, isFetching, isError, fetchNextPage } = templates;
  useEffect(() => {
    if (hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [hasNextPage, isFetching, isError, fetchNextPage]);
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
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return templates.filter((template) => {
    if (category !== null && template.category !== category) return false;
    const about = [template.name, template.description, template.category, ...template.tags]
      .join(" ")
      .toLowerCase();
    return words.every((word) => about.includes(word));
  });
}

export function categoriesOf(templates: readonly Template[]): string[] {
  return [...new Set(templates.map((template) => template.category))].sort();
}
