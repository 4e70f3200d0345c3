import type { Variables } from "./deployment";

interface Compared {
  readonly template_revision: number | null;
  readonly variables: Variables;
}

/** What `release` changed, in sentences. A secret that was changed cannot be told from one that was not. */
export function differences(before: Compared, release: Compared): string[] {
  const found: string[] = [];
  if (before.template_revision !== release.template_revision) {
    found.push(`Template revision ${before.template_revision ?? "?"} → ${release.template_revision ?? "?"}`);
  }
  const names = new Set([...Object.keys(before.variables), ...Object.keys(release.variables)]);
  for (const name of [...names].sort()) {
    const was = before.variables[name];
    const is = release.variables[name];
    if (was === is) continue;
    if (was === undefined) found.push(`${name} was added`);
    else if (is === undefined) found.push(`${name} was removed`);
    else found.push(`${name}: ${inShort(was)} → ${inShort(is)}`);
  }
  return found;
}

const LONGEST = 80;

/** In one line: a value may be a whole web page. */
function inShort(value: unknown): string {
  const text = String(value).replace(/\s+/g, " ");
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
