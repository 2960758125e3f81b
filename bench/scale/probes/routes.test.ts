import { createMesh, type Mesh } from "@heddle/core";
import { afterEach, expect, test } from "vitest";
import { documentOf, SERVICE } from "./generated.ts";
import { generatedRoutes, lastPath, type PathKind } from "./routes.ts";

const KINDS: readonly PathKind[] = ["prefix", "exact", "regex"];
const COUNT = 200;
let mesh: Mesh | null = null;

afterEach(async () => {
  await mesh?.close();
});

test.each(KINDS)("with a last route of kind %s, the measured path takes that one and no other", async (last) => {
  const to = { to: [{ service: SERVICE }] };
  const transport = {
    open: () => ({ send: () => Promise.reject(new Error()), connections: () => 0, close: async () => {}, destroy() {} }),
  };
  mesh = createMesh({ config: documentOf({ routes: generatedRoutes(COUNT, last).map((route) => ({ ...route, ...to })) }), transport });
  await mesh.ready();
  const { routes } = mesh.explain({ method: "GET", url: `http://${SERVICE}${lastPath(COUNT, last)}`, headers: {} });
  expect(routes.filter(({ matched }) => matched).map(({ name }) => name)).toEqual([`route-${COUNT - 1}`]);
});

test("of many routes 60 % are prefixes, 30 % exact paths, 10 % regular expressions", () => {
  const kinds = generatedRoutes(1_000, "regex").map(({ match }) => Object.keys(match.path)[0]);
  const share = (kind: string) => kinds.filter((one) => one === kind).length / kinds.length;
  expect(share("prefix")).toBeCloseTo(0.6, 2);
  expect(share("exact")).toBeCloseTo(0.3, 2);
  expect(share("regex")).toBeCloseTo(0.1, 2);
});
