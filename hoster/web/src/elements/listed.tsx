import type { ComponentChildren } from "preact";
import { Loaded, type Query } from "./loaded";
import { More, type Paged } from "./more";

interface ListedProps<Item> {
  readonly query: Query<readonly Item[]> & Paged;
  /** Instead of the list, while nothing is in it. */
  readonly empty: ComponentChildren;
  readonly children: (items: readonly Item[]) => ComponentChildren;
  /** Lines of the place that the list will take. */
  readonly lines?: number;
}

/** A list of the API as far as it was fetched, and the way to what follows. */
export function Listed<Item>({ query, empty, children, lines = 4 }: ListedProps<Item>) {
  return (
    <>
      <Loaded query={query} lines={lines}>
        {(items) => (items.length === 0 ? empty : children(items))}
      </Loaded>
      <More query={query} />
    </>
  );
}
