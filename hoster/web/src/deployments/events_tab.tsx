import { useQuery } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { Empty } from "@/elements/empty";
import { Loaded } from "@/elements/loaded";
import { Moment } from "@/elements/moment";
import { shortened } from "@/elements/shortened";
import { Table } from "@/elements/table";
import { request } from "@/session/request";
import { type Deployment, pathOf } from "./deployment";

export interface DeploymentEvent {
  readonly id: string;
  readonly type: string;
  readonly container: string | null;
  readonly message: string;
  readonly timestamp: string;
}

export function useEvents(id: string, limit: number) {
  return useQuery({
    queryKey: ["deployment", id, "events", limit],
    queryFn: () =>
      request<{ items: readonly DeploymentEvent[] }>(`${pathOf(id)}/monitoring/events?limit=${limit}`).then(
        (page) => page.items,
      ),
  });
}

/** The query is asked again when the page hears that something has happened. */
export default function EventsTab({ deployment }: { readonly deployment: Deployment }) {
  const events = useEvents(deployment.id, 200);
  const [type, setType] = useState("");
  return (
    <Loaded query={events} lines={8}>
      {(items) =>
        items.length === 0 ? (
          <Empty title="Nothing has happened yet">
            <p>Starts, stops, health changes and deploy steps are listed here.</p>
          </Empty>
        ) : (
          <>
            <label class="inline-field">
              Type{" "}
              <select value={type} onChange={(event) => setType(event.currentTarget.value)}>
                <option value="">all</option>
                {[...new Set(items.map((item) => item.type))].sort().map((one) => (
                  <option key={one} value={one}>
                    {worded(one)}
                  </option>
                ))}
              </select>
            </label>
            <Table caption="Events" columns={["When", "Type", "Service", "What"]}>
              {items
                .filter((item) => type === "" || item.type === type)
                .map((item) => (
                  <tr key={item.id}>
                    <td>
                      <Moment at={item.timestamp} />
                    </td>
                    <td>{worded(item.type)}</td>
                    <td class="wrap">{item.container}</td>
                    <td class="wide">{shortened(item.message).replace(" -> ", " → ")}</td>
                  </tr>
                ))}
            </Table>
          </>
        )
      }
    </Loaded>
  );
}

/** The API's name of a type, in words. */
function worded(type: string): string {
  return type.replaceAll("_", " ");
}
