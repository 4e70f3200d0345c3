export interface Assignments {
  readonly values: Readonly<Record<string, string>>;
  /** Lines that are no assignment, by number. */
  readonly faults: readonly string[];
}

/** `NAME=value` lines. A value is everything behind the first `=`, byte for byte; empty lines and `#` lines are passed over. */
export function assignments(text: string): Assignments {
  const values: Record<string, string> = {};
  const faults: string[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const found = /^\s*([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(line);
    if (found?.[1] === undefined) faults.push(`line ${index + 1}`);
    else values[found[1]] = found[2] ?? "";
  }
  return { values, faults };
}
