/** In which line of a compose file a named field stands, so that a fault can be shown where it is. */

interface Key {
  readonly indent: number;
  readonly name: string;
}

/** From 1; null where the file says it in a way that lines do not show, such as `{a: {b: c}}`. Then the nearest that is shown. */
export function lineOf(compose: string, field: string): number | null {
  const wanted = field.replace(/^compose\.?/, "");
  if (wanted === "") return null;
  const path: Key[] = [];
  let found: number | null = null;
  let depth = 0;
  for (const [index, line] of compose.split("\n").entries()) {
    const key = keyOf(line);
    if (key === null) continue;
    while ((path.at(-1)?.indent ?? -1) >= key.indent) path.pop();
    path.push(key);
    const here = path.map((one) => one.name).join(".");
    if (here.length > depth && (wanted === here || wanted.startsWith(`${here}.`))) {
      depth = here.length;
      found = index + 1;
    }
  }
  return found;
}

function keyOf(line: string): Key | null {
  const found = /^( *)(?:"([^"]+)"|'([^']+)'|([^\s#"'{[-][^:]*?)) *:(?: |$)/.exec(line);
  if (found === null) return null;
  return { indent: (found[1] ?? "").length, name: found[2] ?? found[3] ?? found[4] ?? "" };
}
