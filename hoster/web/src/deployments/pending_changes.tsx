import { useQueryClient } from "@tanstack/preact-query";
import { Button } from "@/elements/button";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { request } from "@/session/request";
import { type Deployment, isMoving, pathOf } from "./deployment";

/** What is saved and not yet in force, with the way to put it in force. */
export function PendingChanges({ deployment }: { readonly deployment: Deployment }) {
  const queries = useQueryClient();
  const form = useSubmit(async () => {
    await request(`${pathOf(deployment.id)}/redeploy`, {
      method: "POST",
    });
    await queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
  });
  const changes = deployment.pending_changes ?? [];
  if (changes.length === 0) return null;
  const waits = deployment.status === "stopped" || deployment.status === "pending";
  return (
    <div class="notice is-warning">
      <p>
        <strong>Saved, not yet in force:</strong>{" "}
        {changes.map((change) => change.replace(/^variables\./, "")).join(", ")}.{" "}
        {waits
          ? "They are in force from the next start."
          : deployment.status === "running"
            ? "Redeploy to put them in force; the app serves meanwhile."
            : "Redeploy to put them in force."}
      </p>
      {!waits && (
        <Button
          small
          kind="primary"
          busy={form.busy}
          disabled={isMoving(deployment)}
          onClick={() => form.submit()}
        >
          Redeploy now
        </Button>
      )}
      <ProblemNotice problem={form.problem} />
    </div>
  );
}
