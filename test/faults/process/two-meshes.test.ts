import http from "node:http";
import { meshError } from "@heddle/core";
import type { JoinedMesh } from "heddle";
import { getGlobalDispatcher } from "undici";
import { expect, test } from "vitest";
import { join, pause, serve } from "../../front-doors/setup.ts";

const globals = () => [
  getGlobalDispatcher(),
  http.globalAgent,
  (globalThis as Record<symbol, unknown>)[Symbol.for("undici.globalDispatcher.1")],
];
const ask = (host = "reviews") =>
  fetch(`http://${host}/`).then(
    (response) => response.text(),
    (error) => meshError(error)?.code ?? String(error),
  );

async function twoMeshes(): Promise<{ readonly first: JoinedMesh; readonly second: JoinedMesh }> {
  const [one, two] = await Promise.all([
    serve((_request, response) => void response.end("first")),
    serve((_request, response) => void response.end("second")),
  ]);
  return { first: await join([one.address]), second: await join([two.address]) };
}

test.each([
  { order: "first, second" as const, left: "second" },
  { order: "second, first" as const, left: "first" },
])(
  "of two meshes for the same service the one installed last serves, and taken back in the order $order the globals are as before",
  async ({ order, left }) => {
    const before = globals();
    const { first, second } = await twoMeshes();
    const installed = { first: first.install(), second: second.install() };
    expect(await ask()).toBe("second");
    const [one, two] = order.split(", ") as ["first", "second"];
    installed[one][Symbol.dispose]();
    expect(await ask()).toBe(left);
    installed[two][Symbol.dispose]();
    expect(globals()).toEqual(before);
    for (const [index, value] of globals().entries()) expect(value).toBe(before[index]);
  },
);

test("nested and repeated installs end with the last of each", async () => {
  const before = globals();
  const { first, second } = await twoMeshes();
  const one = first.install();
  const two = second.install();
  const again = first.install();
  expect(await ask()).toBe("first");
  one[Symbol.dispose]();
  one[Symbol.dispose]();
  expect(await ask()).toBe("first");
  two[Symbol.dispose]();
  again[Symbol.dispose]();
  for (const [index, value] of globals().entries()) expect(value).toBe(before[index]);
});

test("closing one of two meshes leaves the other one's requests, timers and servers alone", async () => {
  const slow = await serve((_request, response) => void setTimeout(() => response.end("slow"), 150));
  const first = await join([slow.address], { services: { web: {} }, ...({ service: "web" } as object) });
  const second = await join([slow.address], { reviews: { timeout: "400ms" }, services: { web: {} }, ...({ service: "web" } as object) });
  const listening = await second.listen((_request, response) => response.end("still serving"), { host: "127.0.0.1" });
  await first.listen((_request, response) => response.end("gone"), { host: "127.0.0.1" });
  const call = second.request("http://reviews/").then((reply) => reply.text());
  await pause(20);
  await first.close({ limit: 0 });
  expect(await call).toBe("slow");
  expect(await (await fetch(listening.url)).text()).toBe("still serving");
  expect(await second.request("http://reviews/").then((reply) => reply.text())).toBe("slow");
  await expect(first.request("http://reviews/")).rejects.toMatchObject({ code: "closed" });
  const hanging = await join([(await serve(() => {})).address], { reviews: { timeout: "50ms" } });
  await expect(hanging.request("http://reviews/")).rejects.toMatchObject({ code: "deadline_exceeded" });
});

test("a closed mesh that is still installed fails the calls on its services, and no others", async () => {
  const plain = await serve((_request, response) => void response.end("plain"));
  const { first } = await twoMeshes();
  using _ = first.install();
  await first.close();
  expect(await ask()).toBe("closed");
  expect(await ask(plain.address)).toBe("plain");
});
