import { Button } from "./button";

/** A list that comes page by page. */
export interface Paged {
  readonly hasNextPage: boolean;
  readonly isFetchingNextPage: boolean;
  fetchNextPage(): unknown;
}

/** Fetches the next page of a list, where there is one. */
export function More({ query }: { readonly query: Paged }) {
  if (!query.hasNextPage) return null;
  return (
    <p class="row is-centred">
      <Button busy={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
        Show more
      </Button>
    </p>
  );
}
