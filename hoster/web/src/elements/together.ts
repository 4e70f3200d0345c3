import type { Query } from "./loaded";

type Found<Queries> = { [Name in keyof Queries]: Queries[Name] extends Query<infer Data> ? Data : never };

/** Several queries as one that is there when all are, so that nothing is drawn that the next answer would push away. */
export function together<Queries extends Record<string, Query<unknown>>>(
  queries: Queries,
): Query<Found<Queries>> {
  const all = Object.values(queries);
  const complete = all.every((query) => query.data !== undefined);
  const data = Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, query.data]));
  return {
    data: complete ? (data as Found<Queries>) : undefined,
    error: all.find((query) => query.error)?.error ?? null,
    refetch: () => Promise.all(all.map((query) => query.refetch())),
  };
}
