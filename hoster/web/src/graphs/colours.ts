export interface GraphColours {
  readonly line: string;
  readonly second: string;
  readonly grid: string;
  readonly ink: string;
}

/** The theme's colours as a canvas needs them: as an element of `place` has them, after light or dark was chosen. */
export function colours(place: HTMLElement): GraphColours {
  const probe = place.appendChild(document.createElement("span"));
  const read = (name: string) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const found = {
    line: read("--accent"),
    second: read("--second"),
    grid: read("--edge"),
    ink: read("--muted"),
  };
  probe.remove();
  return found;
}
