import { expect, test } from "vitest";
import { pieces, plainText } from "./ansi";

test("colours become classes and end where they are reset", () => {
  expect(pieces("a\x1b[1;31mb\x1b[0mc")).toEqual([
    { text: "a", classes: "" },
    { text: "b", classes: "ansi-red ansi-bold" },
    { text: "c", classes: "" },
  ]);
});

test("colours out of 256 and true colours do not swallow what follows them", () => {
  expect(pieces("\x1b[38;5;196;1mx\x1b[48;2;1;2;3;4my")).toEqual([
    { text: "x", classes: "ansi-bold" },
    { text: "y", classes: "ansi-bold ansi-underline" },
  ]);
});

test("everything else that moves a terminal is dropped, and markup stays text", () => {
  expect(plainText("\x1b]0;title\x07\x1b[2K\x1b[1A<b>ok</b>\x1b(\r\x00")).toBe("<b>ok</b>(");
});

test("of a line that was written again and again the last writing counts, and no letter turns the others around", () => {
  expect(plainText(" 10%\r 20%\r\x1b[1m100%\x1b[0m\r")).toBe("100%");
  expect(plainText("a\u202eb\u2066c\x9b")).toBe("abc");
});
