import { type InfiniteData, useInfiniteQuery } from "@tanstack/preact-query";
import { useEffect } from "preact/hooks";
import type { Paged } from "@/elements/more";
import type { PageOf } from "@/elements/page_list";
import type { Problem } from "@/problems/problem";
import { request } from "./request";

type Cursor = string | null;

interface ListOptions<Item> {
  /** Milliseconds until the next look, judged by what the list holds now; false rests. */
  readonly lookAgain?: (items: readonly Item[]) => number | false;
  /** Whether it is asked for at all. */
  readonly wanted?: boolean;
  /** What was shown under another key stays until this one's answer is there: for what is typed. */
  readonly staysMeanwhile?: boolean;
}

/** A list of the API, page by page; `data` is all items so far. */
export function useList<Item>(key: readonly unknown[], path: string, options: ListOptions<Item> = {}) {
  return useInfiniteQuery<PageOf<Item>, Problem, readonly Item[], readonly unknown[], Cursor>({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => request<PageOf<Item>>(withCursor(path, pageParam), { signal }),
    initialPageParam: null,
    getNextPageParam: (page) => page.next_cursor ?? null,
    select: itemsOf,
    enabled: options.wanted ?? true,
    placeholderData: (before) => (options.staysMeanwhile ? before : undefined),
    refetchInterval: (query) => options.lookAgain?.(itemsOf(query.state.data)) ?? false,
  });
}

interface Unfinished extends Paged {
  readonly isFetching: boolean;
  readonly isError: boolean;
}

/** Fetches what is left of a list while it is wanted whole: what is searched here must be here. */
export function useRest(
  { hasNextPage, isFetching, isError, fetchNextPage }: Unfinished,
  wanted = true,
): void {
  useEffect(() => {
    if (wanted && hasNextPage && !isFetching && !isError) void fetchNextPage();
  }, [wanted, hasNextPage, isFetching, isError, fetchNextPage]);
}

function itemsOf<Item>(data: InfiniteData<PageOf<Item>, Cursor> | undefined): readonly Item[] {
  return data?.pages.flatMap((page) => page.items) ?? [];
}

function withCursor(path: string, cursor: Cursor): string {
  if (cursor === null) return path;
  return `${path}${path.includes("?") ? "&" : "?"}cursor=${encodeURIComponent(cursor)}`;
}
