import { expect, test } from "vitest";
import { match, safeDestination } from "./pattern";

test("named segments are decoded, and nothing else matches", () => {
  expect(match("/deployments/:id/:tab", "/deployments/a%20b/logs/")).toEqual({ id: "a b", tab: "logs" });
  expect(match("/deployments/:id", "/deployments/%ff")).toBeNull();
  expect(match("/deployments/:id", "/deployments")).toBeNull();
});

test("after signing in nobody is sent to another origin", () => {
  expect(safeDestination("/deployments/x?y=1")).toBe("/deployments/x?y=1");
  for (const away of ["//evil.example", "https://evil.example", "/\\evil.example", null]) {
    expect(safeDestination(away)).toBe("/");
  }
});
