export interface GraphColours {
  readonly line: string;
  readonly second: string;
  readonly grid: string;
  readonly ink: string;
}

/** The theme's colours as a canvas needs them. */
export function colours(): GraphColours {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string) => style.getPropertyValue(name).trim();
  return { line: read("--accent"), second: read("--second"), grid: read("--edge"), ink: read("--muted") };
}
