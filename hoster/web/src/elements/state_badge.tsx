/** A state by word and sign; its colour only repeats it. */
const SIGNS: Readonly<Record<string, readonly [sign: string, tone: string]>> = {
  running: ["●", "good"],
  healthy: ["●", "good"],
  online: ["●", "good"],
  active: ["●", "good"],
  verified: ["✓", "good"],
  done: ["✓", "good"],
  published: ["●", "good"],
  draft: ["◌", "still"],
  deployed: ["✓", "still"],
  failed: ["✕", "bad"],
  unhealthy: ["✕", "bad"],
  crashed: ["✕", "bad"],
  suspended: ["✕", "bad"],
  expired: ["✕", "bad"],
  offline: ["○", "bad"],
  stopped: ["■", "still"],
  deleted: ["■", "still"],
  cancelled: ["■", "still"],
  superseded: ["■", "still"],
  unknown: ["?", "still"],
  maintenance: ["■", "moving"],
  degraded: ["!", "moving"],
};

export function StateBadge({ state }: { readonly state: string }) {
  const [sign, tone] = SIGNS[state] ?? ["◌", "moving"];
  return (
    <span class={`badge is-${tone}`}>
      <span aria-hidden="true">{sign}</span> {state}
    </span>
  );
}
