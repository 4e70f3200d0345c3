/** Text with terminal colours as pieces of text with class names; every other control sequence is dropped. */

export interface Piece {
  readonly text: string;
  readonly classes: string;
}

interface Style {
  colour: string;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
// CSI with its final byte, OSC up to its end, any other escape of two characters; then what cannot be printed, and what would turn the
// order of the letters around.
const SEQUENCE =
  /\x1b\[([0-9;:]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[@-_]?|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;

export function pieces(whole: string): Piece[] {
  const line = lastWritten(whole);
  const style = plain();
  const found: Piece[] = [];
  let from = 0;
  for (const sequence of line.matchAll(SEQUENCE)) {
    add(found, line.slice(from, sequence.index), style);
    from = sequence.index + sequence[0].length;
    if (sequence[2] === "m") apply(style, sequence[1] ?? "");
  }
  add(found, line.slice(from), style);
  return found;
}

/** The same text without colours, as it is searched and saved. */
export function plainText(line: string): string {
  return lastWritten(line).replace(SEQUENCE, "");
}

/** What a terminal would show at the end: a progress bar writes the same line again and again, behind a carriage return each time. */
function lastWritten(line: string): string {
  if (!line.includes("\r")) return line;
  return line.split("\r").findLast((part) => part.replace(SEQUENCE, "").trim() !== "") ?? "";
}

function plain(): Style {
  return { colour: "", bold: false, faint: false, italic: false, underline: false };
}

function add(found: Piece[], text: string, style: Style): void {
  if (text === "") return;
  const classes = [
    style.colour && `ansi-${style.colour}`,
    ...FLAGS.filter((flag) => style[flag]).map((flag) => `ansi-${flag}`),
  ];
  found.push({ text, classes: classes.filter(Boolean).join(" ") });
}

const FLAGS = ["bold", "faint", "italic", "underline"] as const;

function apply(style: Style, parameters: string): void {
  const codes = parameters.split(/[;:]/).map(Number);
  for (let index = 0; index < codes.length; index += 1) {
    const code = codes[index] ?? 0;
    // 256 colours and true colour: their parameters are skipped, the colour of the theme stays readable.
    if (code === 38 || code === 48) index += codes[index + 1] === 5 ? 2 : 4;
    else applyOne(style, code);
  }
}

function applyOne(style: Style, code: number): void {
  if (code === 0) Object.assign(style, plain());
  else if (code === 1) style.bold = true;
  else if (code === 2) style.faint = true;
  else if (code === 3) style.italic = true;
  else if (code === 4) style.underline = true;
  else if (code === 22) style.bold = style.faint = false;
  else if (code === 23) style.italic = false;
  else if (code === 24) style.underline = false;
  else if (code === 39) style.colour = "";
  else style.colour = colourOf(code) ?? style.colour;
}

function colourOf(code: number): string | undefined {
  if (code >= 30 && code <= 37) return NAMES[code - 30];
  if (code >= 90 && code <= 97) return NAMES[code - 90];
  return undefined;
}
