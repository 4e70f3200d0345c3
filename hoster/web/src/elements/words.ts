/** Whether every word of `text` is somewhere in `about`, in whatever case. */
export function hasWords(about: readonly string[], text: string): boolean {
  const all = about.join(" ").toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}
