import { useState } from "preact/hooks";
import { Button } from "@/elements/button";
import { Empty } from "@/elements/empty";
import { Loaded } from "@/elements/loaded";
import { More } from "@/elements/more";
import { PageHeading } from "@/elements/page_heading";
import { NewNodeDialog } from "./new_node_dialog";
import { useNodesComing } from "./node";
import { NodeCard } from "./node_card";

export default function NodesPage() {
  const nodes = useNodesComing();
  const [adding, setAdding] = useState(false);
  return (
    <>
      <PageHeading title="Nodes" lead="The machines that your apps run on: the platform's, and your own.">
        <Button kind="primary" onClick={() => setAdding(true)}>
          Add a node
        </Button>
      </PageHeading>
      <Loaded query={nodes}>
        {(items) =>
          items.length === 0 ? (
            <Empty title="No machine yet">
              <p>
                Any Linux machine with Docker can be a node. Add one: you get a command to run on it, and it
                appears here as soon as it has joined.
              </p>
            </Empty>
          ) : (
            <ul class="cards">
              {items.map((node) => (
                <NodeCard key={node.id} node={node} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <More query={nodes} />
      {adding && <NewNodeDialog onClose={() => setAdding(false)} />}
    </>
  );
}
