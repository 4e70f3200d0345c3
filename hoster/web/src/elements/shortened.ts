/** Long ids and checksums in a sentence, cut to what tells one from the other. */
export function shortened(text: string): string {
  return text.replace(/\b((?:[a-z]+_|sha256:)[0-9a-f]{8})[0-9a-f]{12,}\b/g, "$1…");
}
