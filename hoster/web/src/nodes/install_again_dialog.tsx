import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { Dialog } from "@/elements/dialog";
import { ProblemNotice } from "@/elements/problem_notice";
import { useSubmit } from "@/elements/use_submit";
import { request } from "@/session/request";
import {
  EMPTY_INSTALLATION,
  type Installation,
  installationBody,
  MachineFields,
} from "./installation_fields";
import { type Node, nodePath } from "./node";

interface InstallAgainDialogProps {
  readonly node: Node;
  readonly onClose: () => void;
}

/** Another try after an installation that failed, with what was wrong put right. */
export function InstallAgainDialog({ node, onClose }: InstallAgainDialogProps) {
  const queries = useQueryClient();
  const [installation, setInstallation] = useState<Installation>({
    ...EMPTY_INSTALLATION,
    wanted: true,
    host: node.bootstrap?.host ?? "",
    user: node.bootstrap?.user ?? EMPTY_INSTALLATION.user,
  });
  const form = useSubmit(async () => {
    await request(`${nodePath(node.id)}/bootstrap`, { method: "POST", body: installationBody(installation) });
    await queries.invalidateQueries({ queryKey: ["nodes"] });
    onClose();
  });
  return (
    <Dialog title={`Install ${node.name} again`} onClose={onClose}>
      <form onSubmit={form.submit}>
        <div class="dialog-body">
          <MachineFields installation={installation} onInstallation={setInstallation} fault={form.fault} />
          <ProblemNotice problem={form.problem} />
        </div>
        <div class="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" type="submit" busy={form.busy}>
            Install
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
