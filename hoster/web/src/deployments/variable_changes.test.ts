import { expect, test } from "vitest";
import type { Variable } from "@/templates/template";
import { changesOf, entriesOf, environmentChanges, variablesOf } from "./variable_changes";

const VARIABLES: Variable[] = [
  { name: "TITLE", label: "", type: "string", default: "a", required: false, options: [], pattern: null },
  { name: "SIZE", label: "", type: "number", default: 1, required: false, options: [], pattern: null },
  { name: "SECRET", label: "", type: "password", default: null, required: true, options: [], pattern: null },
];
const PRESENT = { TITLE: "b", SIZE: 2, SECRET: "***" };

test("an untouched form changes nothing, and no password is sent back as its stars", () => {
  expect(changesOf(VARIABLES, entriesOf(VARIABLES, PRESENT), PRESENT)).toEqual({});
});

test("only what was changed is sent, as its type", () => {
  const entries = { ...entriesOf(VARIABLES, PRESENT), SIZE: "3", SECRET: "new" };
  expect(changesOf(VARIABLES, entries, PRESENT)).toEqual({ SIZE: 3, SECRET: "new" });
});

test("without their template, variables are changed by what their values show of them", () => {
  const present = { ...PRESENT, ON: true };
  const variables = variablesOf(present);
  expect(variables.map(({ name, type }) => `${name} ${type}`)).toEqual([
    "TITLE string",
    "SIZE number",
    "SECRET password",
    "ON boolean",
  ]);
  expect(changesOf(variables, entriesOf(variables, present), present)).toEqual({});
});

test("a variable that is gone from the environment is taken away, and the rest is left alone", () => {
  expect(
    environmentChanges({ A: "1", B: "2" }, [
      { name: "A", value: "1" },
      { name: "C", value: "" },
    ]),
  ).toEqual({
    B: null,
    C: "",
  });
});
