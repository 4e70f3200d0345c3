import { expect, test } from "vitest";
import type { Deployment } from "./deployment";
import { chosen, queryOf, statesOf } from "./deployment_filter";

const shop = { name: "Shop", status: "running", hosts: ["shop-1.example.com"] } as unknown as Deployment;
const blog = { name: "Blog", status: "failed", hosts: ["blog-2.example.com"] } as unknown as Deployment;

test("words are looked for in names and addresses, and every one must be there", () => {
  expect(chosen([shop, blog], { text: " example SHOP ", state: null })).toEqual([shop]);
  expect(chosen([shop, blog], { text: "shop blog", state: null })).toEqual([]);
});

test("a state and words narrow together, and nothing asked for is everything", () => {
  expect(chosen([shop, blog], { text: "example", state: "failed" })).toEqual([blog]);
  expect(chosen([shop, blog], { text: "", state: null })).toEqual([shop, blog]);
});

test("the chosen state can be taken back when nothing is in it any more", () => {
  expect(statesOf([shop], "failed", true)).toEqual(["failed", "running"]);
});

test("of a list that goes on, any state may be chosen", () => {
  expect(statesOf([shop], null, false)).toContain("stopped");
});

test("the API is asked for what was entered, and for nothing else", () => {
  expect(queryOf({ text: " a&b ", state: "failed" })).toBe("q=a%26b&status=failed");
  expect(queryOf({ text: " ", state: null })).toBe("");
});
