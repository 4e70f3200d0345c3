import { ChoiceField } from "@/elements/choice_field";
import { useNodes } from "@/nodes/node";
import { type Visibility, VisibilityField } from "./visibility_field";

export interface Placement {
  readonly visibility: Visibility;
  readonly node_id?: string;
}

export const PUBLIC_ANYWHERE: Placement = { visibility: "public" };

interface PlacementFieldsProps {
  readonly placement: Placement;
  readonly onPlacement: (placement: Placement) => void;
}

export function PlacementFields({ placement, onPlacement }: PlacementFieldsProps) {
  const nodes = useNodes();
  const chooseNode = (id: string) => {
    const { visibility } = placement;
    onPlacement(id === "" ? { visibility } : { visibility, node_id: id });
  };
  return (
    <details class="more-settings">
      <summary>Where it runs and who may open it</summary>
      <VisibilityField
        value={placement.visibility}
        onValue={(visibility) => onPlacement({ ...placement, visibility })}
      />
      <ChoiceField
        label="Node"
        value={placement.node_id ?? ""}
        onValue={chooseNode}
        choices={[
          ["", "The best one"],
          ...(nodes.data ?? []).map((node) => [node.id, `${node.name} (${node.status})`] as const),
        ]}
        hint="Left open, the one with the most room is taken."
      />
    </details>
  );
}
