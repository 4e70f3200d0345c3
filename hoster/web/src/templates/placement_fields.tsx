import { Field } from "@/elements/field";
import { useNodes } from "@/nodes/node";

export interface Placement {
  readonly visibility: "public" | "private";
  readonly node_id?: string;
}

export const PUBLIC_ANYWHERE: Placement = { visibility: "public" };

interface NodeAndVisibilityProps {
  readonly placement: Placement;
  readonly onPlacement: (placement: Placement) => void;
}

export function NodeAndVisibility({ placement, onPlacement }: NodeAndVisibilityProps) {
  const nodes = useNodes();
  const chooseNode = (id: string) => {
    const { visibility } = placement;
    onPlacement(id === "" ? { visibility } : { visibility, node_id: id });
  };
  return (
    <details class="more-settings">
      <summary>Where it runs and who may open it</summary>
      <Field label="Visibility" required hint="Private apps answer your organisation only, with its token.">
        {(ties) => (
          <select
            {...ties}
            value={placement.visibility}
            onChange={(event) =>
              onPlacement({
                ...placement,
                visibility: event.currentTarget.value === "private" ? "private" : "public",
              })
            }
          >
            <option value="public">Public: anybody may open it</option>
            <option value="private">Private: my organisation only</option>
          </select>
        )}
      </Field>
      <Field label="Node" hint="Left open, the one with the most room is taken.">
        {(ties) => (
          <select
            {...ties}
            value={placement.node_id ?? ""}
            onChange={(event) => chooseNode(event.currentTarget.value)}
          >
            <option value="">The best one</option>
            {(nodes.data ?? []).map((node) => (
              <option key={node.id} value={node.id}>
                {node.name} ({node.status})
              </option>
            ))}
          </select>
        )}
      </Field>
    </details>
  );
}
