import { explain } from "@/problems/explanation";
import { Link } from "@/routing/link";
import { Button } from "./button";

interface ProblemNoticeProps {
  readonly problem: unknown;
  readonly onRetry?: (() => void) | undefined;
}

/** What went wrong and what to do; nothing when nothing did. */
export function ProblemNotice({ problem, onRetry }: ProblemNoticeProps) {
  if (problem === null || problem === undefined) return null;
  const { what, next, link } = explain(problem);
  return (
    <div class="notice is-problem" role="alert">
      <p>
        <strong>{what}</strong> {next}
      </p>
      {(link !== undefined || onRetry !== undefined) && (
        <p class="row">
          {link !== undefined && <Link to={link.path}>{link.text}</Link>}
          {onRetry !== undefined && (
            <Button small onClick={onRetry}>
              Try again
            </Button>
          )}
        </p>
      )}
    </div>
  );
}
