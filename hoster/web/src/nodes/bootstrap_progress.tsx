import { timeOfDay } from "@/elements/dates";
import { StateBadge } from "@/elements/state_badge";
import type { Bootstrap } from "./node";

/** How the installation over SSH goes, line by line. */
export function BootstrapProgress({ bootstrap }: { readonly bootstrap: Bootstrap }) {
  return (
    <details open={bootstrap.status !== "done"}>
      <summary>
        Installation on {bootstrap.user}@{bootstrap.host}
      </summary>
      <p class="row">
        <StateBadge state={bootstrap.status} />
      </p>
      {bootstrap.reason !== null && <p class="notice is-problem">{bootstrap.reason}</p>}
      {bootstrap.host_key_fingerprint !== null && (
        <p class="muted">
          Host key <code>{bootstrap.host_key_fingerprint}</code>
          {bootstrap.host_key_pinned &&
            ", as it was shown at the first connection: compare it with the machine's"}
        </p>
      )}
      <ol class="attempts">
        {bootstrap.log.map((line) => (
          <li key={`${line.at} ${line.message}`}>
            <time dateTime={line.at}>{timeOfDay(line.at)}</time> {line.message}
          </li>
        ))}
      </ol>
    </details>
  );
}
