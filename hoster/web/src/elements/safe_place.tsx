import type { ComponentChildren } from "preact";
import { useErrorBoundary } from "preact/hooks";
import { ProblemNotice } from "./problem_notice";

/** Whatever goes wrong while this is drawn is said in its place, instead of leaving an empty page. */
export function SafePlace({ children }: { readonly children: ComponentChildren }) {
  const [problem] = useErrorBoundary();
  if (problem === undefined) return <>{children}</>;
  return <ProblemNotice problem={problem} onRetry={() => window.location.reload()} />;
}
