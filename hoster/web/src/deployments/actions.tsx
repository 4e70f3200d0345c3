import { useQueryClient } from "@tanstack/preact-query";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { DialogButton } from "@/elements/dialog_button";
import { focusHeadingIfNowhere } from "@/elements/page_heading";
import { ProblemNotice } from "@/elements/problem_notice";
import { request } from "@/session/request";
import { Deletion } from "./deletion";
import { type Deployment, pathOf } from "./deployment";

type Verb = "start" | "stop" | "restart" | "redeploy";

/** Which state allows what; anything else would only be refused. */
const ALLOWED: Readonly<Record<Verb, readonly string[]>> = {
  start: ["pending", "stopped", "failed"],
  stop: ["running"],
  restart: ["running"],
  redeploy: ["running", "failed"],
};

const NAMES: Readonly<Record<Verb, string>> = {
  start: "Start",
  stop: "Stop",
  restart: "Restart",
  redeploy: "Redeploy",
};

export function Actions({ deployment }: { readonly deployment: Deployment }) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState<Verb | null>(null);
  const [problem, setProblem] = useState<unknown>(null);

  const acted = useRef(false);
  // The button that was pressed goes away with the state that allowed it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another state has other buttons
  useEffect(() => {
    if (acted.current) focusHeadingIfNowhere();
  }, [deployment.status]);

  const act = async (verb: Verb) => {
    if (busy !== null) return;
    acted.current = true;
    setBusy(verb);
    setProblem(null);
    try {
      await request(`${pathOf(deployment.id)}/${verb}`, {
        method: "POST",
      });
    } catch (error) {
      setProblem(error);
    } finally {
      setBusy(null);
      void queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
    }
  };

  const shown = (Object.keys(ALLOWED) as Verb[]).filter((verb) => ALLOWED[verb].includes(deployment.status));
  return (
    <>
      {shown.map((verb) => (
        <Button
          key={verb}
          kind={verb === "start" ? "primary" : "plain"}
          busy={busy === verb}
          onClick={() => act(verb)}
        >
          {NAMES[verb]}
        </Button>
      ))}
      {deployment.status !== "deleting" && (
        <DialogButton kind="danger" verb="Delete">
          {(close) => <Deletion deployment={deployment} onClose={close} />}
        </DialogButton>
      )}
      {problem !== null && (
        <div class="actions-problem">
          <ProblemNotice problem={problem} />
        </div>
      )}
    </>
  );
}
