import { counted, seconds } from "@/elements/amounts";
import { timeOfDay } from "@/elements/dates";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { sentence } from "@/elements/sentence";
import { shortened } from "@/elements/shortened";
import { StateBadge } from "@/elements/state_badge";
import { type Deployment, isMoving } from "./deployment";
import { type Deploy, type HealthAttempt, type Step, useNewestDeploy } from "./deploys";

/** Worded for people; a step that is not here is shown by its own name. */
const STEP_NAMES: Readonly<Record<string, string>> = {
  queued: "Queued",
  preparing: "Fetch the image",
  creating: "Create the container",
  starting: "Start it",
  checking: "Check its health",
  switching: "Switch visitors over",
  draining: "Let the old release finish",
};

export function Timeline({ deployment }: { readonly deployment: Deployment }) {
  const deploy = useNewestDeploy(deployment);
  return (
    <Loaded query={deploy} lines={5}>
      {(found) =>
        found === null ? (
          <p class="muted">
            {isMoving(deployment)
              ? "The machine is being asked; the first step appears here."
              : "It was not deployed yet."}
          </p>
        ) : (
          <Steps deploy={found} />
        )
      }
    </Loaded>
  );
}

function Steps({ deploy }: { readonly deploy: Deploy }) {
  const steps = deploy.steps ?? [];
  const failed = deploy.status === "failed";
  return (
    <>
      <p class="row">
        <StateBadge state={deploy.status} />
        {deploy.created_at !== undefined && (
          <span class="muted">
            <Moment at={deploy.created_at} />
          </span>
        )}
      </p>
      {tellsMore(deploy) && <p class="notice is-problem">{sentence(deploy.reason ?? "")}</p>}
      <ol class="timeline">
        {steps.map((step, index) => (
          <StepRow key={step.name} step={step} failed={failed && index === steps.length - 1} />
        ))}
      </ol>
      {failed && <Attempts attempts={deploy.health_attempts ?? []} />}
      {failed && <LastLines lines={deploy.log_tail ?? []} />}
    </>
  );
}

/** Mostly the step that failed says it already. */
function tellsMore({ reason, steps }: Deploy): boolean {
  return reason !== null && reason !== "" && steps?.at(-1)?.detail !== reason;
}

function StepRow({ step, failed }: { readonly step: Step; readonly failed: boolean }) {
  const state = failed ? "failed" : step.finished_at === null ? "running" : "done";
  return (
    <li class={`step is-${state}`}>
      <span class="step-sign" aria-hidden="true">
        {state === "failed" ? "✕" : state === "done" ? "✓" : "◌"}
      </span>
      <span class="step-name">
        {STEP_NAMES[step.name] ?? step.name}
        <span class="unseen">, {state}</span>
      </span>
      <span class="step-time">
        {step.finished_at === null ? "" : seconds(lasted(step.started_at, step.finished_at))}
      </span>
      {step.detail !== "" && <span class="step-detail">{shortened(step.detail)}</span>}
    </li>
  );
}

function Attempts({ attempts }: { readonly attempts: readonly HealthAttempt[] }) {
  if (attempts.length === 0) return null;
  return (
    <details open>
      <summary>{counted(attempts.length, "health check")}</summary>
      <ol class="attempts">
        {attempts.map((attempt) => (
          <li key={attempt.at}>
            <time dateTime={attempt.at}>{timeOfDay(attempt.at)}</time> {attempt.outcome}
          </li>
        ))}
      </ol>
    </details>
  );
}

function LastLines({ lines }: { readonly lines: readonly string[] }) {
  if (lines.length === 0) return null;
  return (
    <details open>
      <summary>{lines.length === 1 ? "Its last line" : `Its last ${lines.length} lines`}</summary>
      <pre tabIndex={0}>{lines.join("\n")}</pre>
    </details>
  );
}

function lasted(from: string, to: string): number {
  return Math.max(0, (Date.parse(to) - Date.parse(from)) / 1000);
}
