import { Agent, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { echo, meshOf, serve } from "../test/front-doors.ts";
import { installMesh } from "./install.ts";

const FORMER_GLOBAL = Symbol.for("undici.globalDispatcher.1");
const former = () => (globalThis as Record<symbol, unknown>)[FORMER_GLOBAL];

let original = getGlobalDispatcher();
beforeEach(() => {
  original = getGlobalDispatcher();
});
afterEach(() => setGlobalDispatcher(original));

async function setup() {
  const server = await serve(echo);
  return meshOf([server.address]);
}

test("the built-in fetch goes through the mesh until it is disposed", async () => {
  const mesh = await setup();
  const before = former();
  {
    using _ = installMesh(mesh);
    expect(await (await fetch("http://reviews/api/7")).json()).toMatchObject({ url: "/api/7" });
    const other = await serve((_request, response) => response.end("direct"));
    expect(await (await fetch(`http://${other.address}/`)).text()).toBe("direct");
  }
  expect(getGlobalDispatcher()).toBe(original);
  expect(former()).toBe(before);
});

test("what was there comes back, in whatever order two are disposed", async () => {
  const [first, second] = [await setup(), await setup()];
  for (const order of ["first", "second"]) {
    const one = installMesh(first);
    const top = getGlobalDispatcher();
    const two = installMesh(second);
    if (order === "first") {
      one[Symbol.dispose]();
      expect(getGlobalDispatcher()).not.toBe(original);
      two[Symbol.dispose]();
    } else {
      two[Symbol.dispose]();
      expect(getGlobalDispatcher()).toBe(top);
      one[Symbol.dispose]();
    }
    expect(getGlobalDispatcher()).toBe(original);
  }
});

test("a dispatcher that somebody set later stays", async () => {
  const installed = installMesh(await setup());
  const later = new Agent();
  setGlobalDispatcher(later);
  installed[Symbol.dispose]();
  expect(getGlobalDispatcher()).toBe(later);
});

test("disposing twice changes nothing more", async () => {
  const mesh = await setup();
  const one = installMesh(mesh);
  one[Symbol.dispose]();
  using _ = installMesh(mesh);
  const mine = getGlobalDispatcher();
  one[Symbol.dispose]();
  expect(getGlobalDispatcher()).toBe(mine);
});
