import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Confirmation } from "@/elements/confirmation";
import { TextField } from "@/elements/text_field";
import { request } from "@/session/request";
import { type Deployment, pathOf } from "./deployment";

interface DeletionProps {
  readonly deployment: Deployment;
  readonly onClose: () => void;
}

/** Says what will be lost before it is. */
export function Deletion({ deployment, onClose }: DeletionProps) {
  const queries = useQueryClient();
  const [volumes, setVolumes] = useState(false);
  const [typed, setTyped] = useState("");
  const remove = async () => {
    await request(`${pathOf(deployment.id)}?volumes=${volumes ? "delete" : "keep"}`, { method: "DELETE" });
    await queries.invalidateQueries({ queryKey: ["deployment", deployment.id] });
    void queries.invalidateQueries({ queryKey: ["deployments"] });
  };
  return (
    <Confirmation
      title={`Delete ${deployment.name}?`}
      verb="Delete"
      onClose={onClose}
      onConfirm={remove}
      ready={typed.trim() === deployment.name}
    >
      <p>This cannot be undone. You lose:</p>
      <ul>
        <li>the running app: its containers are stopped and removed;</li>
        <li>
          its address <code>{deployment.hosts[0]}</code> and every domain that points to it;
        </li>
        <li>its variables and passwords, its releases and its log{volumes ? ";" : "."}</li>
        {volumes && <li>all data in its volumes.</li>}
      </ul>
      <label class="check">
        <input
          type="checkbox"
          checked={volumes}
          onChange={(event) => setVolumes(event.currentTarget.checked)}
        />
        Delete the data in its volumes too
      </label>
      <p class="hint">Otherwise that data stays on the machine.</p>
      <TextField
        label={`Type ${deployment.name} to confirm`}
        required
        value={typed}
        onValue={setTyped}
        input={{ autocomplete: "off" }}
      />
    </Confirmation>
  );
}
