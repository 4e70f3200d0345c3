import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { megabytes } from "@/elements/amounts";
import { Button } from "@/elements/button";
import { DialogButton } from "@/elements/dialog_button";
import { Meter } from "@/elements/meter";
import { Moment } from "@/elements/moment";
import { ProblemNotice } from "@/elements/problem_notice";
import { Removal } from "@/elements/removal";
import { StateBadge } from "@/elements/state_badge";
import { useSubmit } from "@/elements/use_submit";
import { request } from "@/session/request";
import { BootstrapProgress } from "./bootstrap_progress";
import { InstallAgainDialog } from "./install_again_dialog";
import { type Node, nodePath } from "./node";

export function NodeCard({ node }: { readonly node: Node }) {
  const { capacity } = node;
  const joined = node.last_seen_at !== null;
  return (
    <li class="card">
      <div class="row">
        <h2>{node.name}</h2>
        <StateBadge state={node.status} />
        {node.public && <span class="tag">platform</span>}
      </div>
      <p class="muted">
        {joined ? (
          <>
            Seen <Moment at={node.last_seen_at} />
            {node.location !== "" && `, in ${node.location}`}
            {node.version !== "" && `, version ${node.version}`}
          </>
        ) : (
          comesWhen(node)
        )}
      </p>
      {joined && (
        <>
          <Meter label="CPU cores in use" used={round(capacity.used.cpu_cores)} most={capacity.cpu_cores} />
          <Meter
            label="Memory in use"
            used={capacity.used.memory_mb}
            most={capacity.memory_mb}
            format={megabytes}
          />
          <Meter
            label="Disk in use"
            used={capacity.used.disk_mb}
            most={capacity.disk_mb}
            format={megabytes}
          />
        </>
      )}
      <p class="muted">
        <code>{node.id}</code>
        {node.address !== null && (
          <>
            {" "}
            at <code>{node.address}</code>
          </>
        )}
      </p>
      {node.capabilities.length > 0 && (
        <p class="row">
          {node.capabilities.map((one) => (
            <span class="tag" key={one}>
              {one}
            </span>
          ))}
        </p>
      )}
      {node.bootstrap !== undefined && node.bootstrap !== null && (
        <BootstrapProgress bootstrap={node.bootstrap} />
      )}
      {!node.public && <NodeActions node={node} />}
    </li>
  );
}

function NodeActions({ node }: { readonly node: Node }) {
  const queries = useQueryClient();
  const reload = () => queries.invalidateQueries({ queryKey: ["nodes"] });
  const inMaintenance = node.status === "maintenance";
  const maintenance = useSubmit(async () => {
    await request(`${nodePath(node.id)}/maintenance`, { method: inMaintenance ? "DELETE" : "POST" });
    await reload();
  });
  return (
    <>
      <div class="row">
        {node.last_seen_at !== null && (
          <Button small busy={maintenance.busy} onClick={() => maintenance.submit()}>
            {inMaintenance ? "End maintenance" : "Maintenance"}
          </Button>
        )}
        {node.bootstrap?.status === "failed" && (
          <DialogButton small kind="primary" verb="Install again">
            {(close) => <InstallAgainDialog node={node} onClose={close} />}
          </DialogButton>
        )}
        <NodeRemoval node={node} />
      </div>
      <ProblemNotice problem={maintenance.problem} />
    </>
  );
}

function NodeRemoval({ node }: { readonly node: Node }) {
  const [lost, setLost] = useState(false);
  return (
    <Removal
      verb="Remove"
      name={node.name}
      path={lost ? `${nodePath(node.id)}?lost=true` : nodePath(node.id)}
      stale={["nodes"]}
    >
      <p>
        The machine can no longer be used here; to bring it back it has to join again.{" "}
        {!lost && "Only a node without deployments can be removed."}
      </p>
      {node.status === "offline" && (
        <>
          <label class="check">
            <input
              type="checkbox"
              checked={lost}
              onChange={(event) => setLost(event.currentTarget.checked)}
            />
            It is gone for good, with everything on it
          </label>
          {lost && (
            <p class="notice is-warning">
              Its deployments have then failed. Started again, each is placed on another node, with its
              settings and without the data that its volumes held.
            </p>
          )}
        </>
      )}
    </Removal>
  );
}

function round(cores: number): number {
  return Math.round(cores * 100) / 100;
}

/** What has still to happen before it is one of the nodes. */
function comesWhen({ bootstrap }: Node): string {
  if (bootstrap?.status === "failed") return "It has not joined: its installation failed.";
  return `It joins as soon as ${bootstrap ? "it is installed" : "its join command has run on the machine"}.`;
}
