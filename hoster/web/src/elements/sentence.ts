/** A reason of the API as a sentence. */
export function sentence(text: string): string {
  const said = text.trim();
  return said.slice(0, 1).toUpperCase() + said.slice(1) + (/[.!?…]$/.test(said) ? "" : ".");
}
