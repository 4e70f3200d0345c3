import { expect, test } from "vitest";
import { Problem } from "@/problems/problem";
import type { Template } from "@/templates/template";
import { bodyOf, copyOf, draftOf, newVariable, variableFaults } from "./draft";

const TEMPLATE: Template = {
  id: "tmpl_1",
  name: "Shop",
  slug: "shop",
  description: "A shop.",
  category: "websites",
  tags: ["a", "b"],
  version: "2.0.1",
  revision: 3,
  compose: "services: {}\n",
  variables: [
    {
      name: "SIZE",
      label: "Size",
      type: "select",
      default: "big",
      required: true,
      options: ["big", "small"],
      pattern: null,
    },
    {
      name: "COUNT",
      label: "Count",
      type: "number",
      default: 3,
      required: false,
      options: [],
      pattern: null,
    },
    {
      name: "OPEN",
      label: "Open",
      type: "boolean",
      default: false,
      required: false,
      options: [],
      pattern: null,
    },
    {
      name: "SECRET",
      label: "Secret",
      type: "password",
      default: "***",
      required: true,
      options: [],
      pattern: ".{8}",
    },
  ],
  resources: { cpu_cores: 0.5, memory_mb: 128, disk_mb: 64 },
  required_capabilities: ["gpu"],
  price_monthly_cents: 499,
  published: false,
  author_id: "user_1",
};

test("what is opened and saved without a change stays as it is", () => {
  const { id, slug, revision, published, author_id, ...written } = TEMPLATE;
  expect(bodyOf(draftOf(TEMPLATE))).toEqual(written);
});

test("a copy of somebody's template has none of its passwords", () => {
  const copy = bodyOf(copyOf(TEMPLATE)) as { name: string; variables: { default: unknown }[] };
  expect(copy.variables.at(-1)?.default).toBeNull();
  expect(copy.name).not.toBe("Shop");
});

test("a fault reaches its variable by place and by name", () => {
  const faults = [
    { field: "variables.1.pattern", message: "is not a regular expression" },
    { field: "variables.TWICE", message: "is declared twice" },
    { field: "variables.2.name", message: "of another" },
  ];
  const problem = new Problem(422, "validation_failed", "", faults);
  expect(variableFaults(problem, { ...newVariable(), name: "TWICE" }, 1)).toEqual({
    pattern: "is not a regular expression",
    name: "is declared twice",
  });
});
