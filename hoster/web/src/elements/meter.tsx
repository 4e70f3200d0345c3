interface MeterProps {
  readonly label: string;
  readonly used: number;
  /** Below zero: without limit. */
  readonly most: number;
  readonly format?: (amount: number) => string;
}

/** How much of an allowance is used, in words and as a bar. */
export function Meter({ label, used, most, format = (amount) => amount.toLocaleString("en") }: MeterProps) {
  const share = most > 0 ? Math.min(1, used / most) : most === 0 ? 1 : 0;
  const level = most >= 0 && used > most ? "is-over" : share >= 0.8 ? "is-high" : "";
  return (
    <div class="meter">
      <div class="meter-words">
        <span>{label}</span>
        <span>{most < 0 ? `${format(used)}, without limit` : `${format(used)} of ${format(most)}`}</span>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: browsers draw <meter> in their own colours */}
      <div
        class={`meter-bar ${level}`}
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={most < 0 ? used : most}
        aria-valuenow={Math.min(used, most < 0 ? used : most)}
      >
        <span style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}
