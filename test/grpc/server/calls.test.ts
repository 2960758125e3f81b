import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { call, type Method } from "./echo-service.ts";
import { client, served } from "./serving.ts";

const CALLS: readonly (readonly [Method, readonly string[], readonly string[]])[] = [
  ["Say", ["one"], ["one"]],
  ["Say", [""], [""]],
  ["Gather", ["one", "two", "", "three"], ["one two  three"]],
  ["Gather", [], [""]],
  ["Spread", ["one two three"], ["one", "two", "three"]],
  ["Talk", ["one", "two", "three"], ["one", "two", "three"]],
  ["Talk", [], []],
];

test.each(CALLS)("%s of %j is served through the stack, and has one line in the access log", async (name, texts, answer) => {
  const { listener, lines, inFlight } = await served({});
  expect(await call(client(listener.port), name, texts)).toEqual({ texts: answer, code: status.OK, details: "OK" });
  await expect.poll(() => lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ direction: "inbound", path: `/shop.Echo/${name}`, route: `/shop.Echo/${name}`, status: 200 });
  await expect.poll(inFlight).toBe(0);
});
