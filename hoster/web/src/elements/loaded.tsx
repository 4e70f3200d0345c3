import type { ComponentChildren } from "preact";
import { ProblemNotice } from "./problem_notice";

export interface Query<Data> {
  readonly data: Data | undefined;
  readonly error: unknown;
  refetch(): unknown;
}

interface LoadedProps<Data> {
  readonly query: Query<Data>;
  readonly children: (data: Data) => ComponentChildren;
  /** Lines of the place that the content will take. */
  readonly lines?: number;
}

/** The content of a query once it is there, its place before, and the reason when it does not come. */
export function Loaded<Data>({ query, children, lines = 4 }: LoadedProps<Data>) {
  if (query.data !== undefined) {
    return (
      <>
        {query.error ? <ProblemNotice problem={query.error} onRetry={() => query.refetch()} /> : null}
        {children(query.data)}
      </>
    );
  }
  if (query.error) return <ProblemNotice problem={query.error} onRetry={() => query.refetch()} />;
  return (
    <div class="placeholder" role="status" aria-label="Loading">
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} />
      ))}
    </div>
  );
}
