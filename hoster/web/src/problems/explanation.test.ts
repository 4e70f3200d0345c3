import { expect, test } from "vitest";
import { explain } from "./explanation";
import { Problem } from "./problem";

test("a used up quota says when it is full again and how to go on before", () => {
  const { what, next, link } = explain(
    new Problem(402, "quota_exceeded", "", [], {}, 60, new Date("2026-12-01T00:00:00Z")),
  );
  expect(what).toContain("used up");
  expect(next).toMatch(/full again on .*2026/);
  expect(next).toContain("larger plan");
  expect(link?.path).toBe("/usage");
});

test("a plan's limit is named in words", () => {
  const problem = new Problem(403, "plan_limit_reached", "", [], {
    limit: "max_memory_mb",
    used: 900,
    max: 1024,
  });
  expect(explain(problem).what).toBe("Your plan's limit for memory is 1 GB, and you use 900 MB.");
});

test("a refusal that nobody has words for says what to do all the same", () => {
  for (const status of [400, 401, 403, 404, 408, 409, 410, 412, 413, 422, 429, 451, 500, 502, 503, 504]) {
    const { what, next } = explain(new Problem(status, "new_code", "It is so."));
    expect(what).toBe("It is so.");
    expect(next, String(status)).toMatch(/^[A-Z].{10,}\.$/);
  }
});

test("every error has a sentence, also one that nobody foresaw", () => {
  expect(explain(new Problem(418, "teapot", "Short and stout.")).what).toBe("Short and stout.");
  expect(explain(new TypeError("x is not a function")).next).toContain("Reload");
});

test("where no node can take it, it is said how many cannot and why", () => {
  const problem = new Problem(409, "no_node_available", "No node can take it.", [], {
    reasons: { cpu: 1, offline: 2 },
  });
  expect(explain(problem).what).toBe("No node can take it. Of the nodes, 1 short of CPU, 2 offline.");
});
