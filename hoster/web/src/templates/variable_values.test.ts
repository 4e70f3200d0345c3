import { expect, test } from "vitest";
import { assignments } from "./assignments";
import type { Variable } from "./template";
import { faultsOf, initialEntries, valuesOf } from "./variable_values";

function variable(fields: Partial<Variable>): Variable {
  return {
    name: "X",
    label: "X",
    type: "string",
    default: null,
    required: false,
    options: [],
    pattern: null,
    ...fields,
  };
}

test("numbers and switches are sent as what they are, and an empty password is left to be generated", () => {
  const variables = [
    variable({ name: "PORT", type: "number", default: 80 }),
    variable({ name: "DEBUG", type: "boolean", default: true }),
    variable({ name: "SECRET", type: "password", required: true }),
  ];
  const entries = initialEntries(variables);
  expect(faultsOf(variables, entries)).toEqual({});
  expect(valuesOf(variables, entries)).toEqual({ PORT: 80, DEBUG: true });
});

test("a default that was emptied on purpose is sent as empty", () => {
  const variables = [variable({ name: "TITLE", default: "Hello" })];
  expect(valuesOf(variables, { TITLE: "" })).toEqual({ TITLE: "" });
});

test("what is missing or does not fit its pattern is named before anything is sent", () => {
  const variables = [variable({ name: "A", required: true }), variable({ name: "B", pattern: "[a-z]+" })];
  expect(faultsOf(variables, { A: "", B: "ab1" })).toEqual({ A: "is required", B: "must match [a-z]+" });
});

test("a pattern of another dialect is left to the platform", () => {
  expect(faultsOf([variable({ pattern: "(?P<x>a)" })], { X: "b" })).toEqual({});
});

test("an environment is taken byte for byte", () => {
  const read = assignments("# note\nA=$x 'q' = \"é\" \n\nB=\n=bad\nnothing");
  expect(read.values).toEqual({ A: "$x 'q' = \"é\" ", B: "" });
  expect(read.faults).toEqual(["line 5", "line 6"]);
});
