import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Dialog } from "@/elements/dialog";
import { DialogForm } from "@/elements/dialog_form";
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
      <DialogForm form={form} verb="Install" onCancel={onClose}>
        <MachineFields installation={installation} onInstallation={setInstallation} fault={form.fault} />
      </DialogForm>
    </Dialog>
  );
}
