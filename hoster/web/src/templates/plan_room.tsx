import { useQuery } from "@tanstack/preact-query";
import { megabytes } from "@/elements/amounts";
import { Meter } from "@/elements/meter";
import type { Limits } from "@/session/account";
import { request } from "@/session/request";
import type { Resources } from "./template";

interface Me {
  readonly limits: Limits;
  readonly usage: Resources & { readonly deployments: number };
}

const NONE: Resources = { cpu_cores: 0, memory_mb: 0, disk_mb: 0 };

export function usePlanRoom() {
  return useQuery({ queryKey: ["plan-room"], queryFn: () => request<Me>("/api/v1/me") });
}

/** What the plan still has room for, and a word beforehand when this will not fit. */
export function PlanRoom({ needs }: { readonly needs: Resources | null }) {
  const room = usePlanRoom();
  if (room.data === undefined) return null;
  const { limits, usage } = room.data;
  const wants = needs ?? NONE;
  const one = needs === null ? 0 : 1;
  const rows = [
    ["Deployments", usage.deployments + one, limits.max_deployments, undefined],
    ["CPU cores", usage.cpu_cores + wants.cpu_cores, limits.max_cpu_cores, undefined],
    ["Memory", usage.memory_mb + wants.memory_mb, limits.max_memory_mb, megabytes],
    ["Disk", usage.disk_mb + wants.disk_mb, limits.max_disk_mb, megabytes],
  ] as const;
  const over = rows.filter(([, used, most]) => most !== undefined && most >= 0 && used > most);
  return (
    <section class="card">
      <h2>{needs === null ? "Room in your plan" : "Your plan with it"}</h2>
      {rows.map(([label, used, most, format]) => (
        <Meter
          key={label}
          label={label}
          used={used}
          most={most ?? -1}
          {...(format === undefined ? {} : { format })}
        />
      ))}
      {over.length > 0 && (
        <p class="notice is-warning">
          Your plan has no room for it: {over.map(([label]) => inSentence(label)).join(", ")}. Delete a
          deployment that you no longer need, or ask your operator for a larger plan.
        </p>
      )}
    </section>
  );
}

function inSentence(label: string): string {
  return label.startsWith("CPU") ? label : label.toLowerCase();
}
