import { expect, test } from "vitest";
import { lineOf } from "./compose_places";

const COMPOSE = `# a site
services:
  web:
    image: nginx:1.27
    "privileged": true
    deploy: {resources: {limits: {cpus: 1}}}
  db:
    image: postgres
    environment:
      - A=b
`;

test("a fault is shown in the line where its field stands", () => {
  expect(lineOf(COMPOSE, "compose.services.web.privileged")).toBe(5);
  expect(lineOf(COMPOSE, "compose.services.db.image")).toBe(8);
});

test("what no line shows is shown at the nearest line above it", () => {
  expect(lineOf(COMPOSE, "compose.services.web.deploy.resources.limits.memory")).toBe(6);
  expect(lineOf(COMPOSE, "compose.services.db.expose")).toBe(7);
  expect(lineOf(COMPOSE, "compose")).toBeNull();
  expect(lineOf("{services: {web: {}}}", "compose.services.web.image")).toBeNull();
});
