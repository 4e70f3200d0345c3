export type Params = Readonly<Record<string, string>>;

/** `/deployments/:id` against a path: the named segments, or null. A path that cannot be decoded matches nothing. */
export function match(pattern: string, path: string): Params | null {
  const wanted = pattern.split("/");
  const given = path.replace(/\/+$/, "").split("/");
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const found = given[index] ?? "";
    if (part.startsWith(":")) {
      const value = decoded(found);
      if (value === null || value === "") return null;
      params[part.slice(1)] = value;
    } else if (part !== found) return null;
  }
  return params;
}

/** Where to go after signing in: a path of this console, never another origin. */
export function safeDestination(next: string | null): string {
  if (next === null || !next.startsWith("/") || next.startsWith("//") || next.includes("\\")) return "/";
  return next;
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
