import { DialogButton } from "@/elements/dialog_button";
import { Empty } from "@/elements/empty";
import { Listed } from "@/elements/listed";
import { PageHeading } from "@/elements/page_heading";
import { NewNodeDialog } from "./new_node_dialog";
import { useNodesComing } from "./node";
import { NodeCard } from "./node_card";

export default function NodesPage() {
  const nodes = useNodesComing();
  return (
    <>
      <PageHeading title="Nodes" lead="The machines that your apps run on: the platform's, and your own.">
        <DialogButton kind="primary" verb="Add a node">
          {(close) => <NewNodeDialog onClose={close} />}
        </DialogButton>
      </PageHeading>
      <Listed query={nodes} empty={<NoNode />}>
        {(items) => (
          <ul class="cards">
            {items.map((node) => (
              <NodeCard key={node.id} node={node} />
            ))}
          </ul>
        )}
      </Listed>
    </>
  );
}

function NoNode() {
  return (
    <Empty title="No machine yet">
      <p>
        Any Linux machine with Docker can be a node. Add one: you get a command to run on it, and it appears
        here as soon as it has joined.
      </p>
    </Empty>
  );
}
