import { expect, test } from "vitest";
import { type Fault, NOT_HTTP_IN_BODY, survives } from "./fault.ts";
import { atRest, closes, endpointOf, join, says } from "./setup.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\ntrailer: x-sum\r\n\r\n4\r\nwell\r\n0\r\n";

function trailer(name: string, fields: string, expected: Fault["expected"], more: Partial<Fault> = {}): Fault {
  return { name, script: says(`${CHUNKED}${fields}\r\n`), expected, ...more };
}

const ANSWER = { status: 200, body: "well" };

survives([
  trailer("trailers", "x-sum: 1\r\nx-other: 2\r\n", ANSWER),
  {
    name: "trailers of 17 KB",
    script: says(`${CHUNKED.replace("connection: close\r\n", "")}x-sum: ${"a".repeat(17_000)}\r\n\r\n`),
    expected: NOT_HTTP_IN_BODY,
  },
  trailer("a trailer without a name", ": 1\r\n", NOT_HTTP_IN_BODY),
  trailer("a length among the trailers", "content-length: 2\r\n", NOT_HTTP_IN_BODY),
  trailer("a coding among the trailers", "transfer-encoding: chunked\r\n", ANSWER),
]);

async function trailersOf(fields: string): Promise<Readonly<Record<string, unknown>>> {
  const endpoint = await endpointOf(says(`${CHUNKED}${fields}\r\n`));
  const mesh = await join([endpoint]);
  const reply = await mesh.request("http://reviews/");
  const trailers = await reply.trailers;
  expect(await reply.text()).toBe("well");
  expect(reply.headers).not.toHaveProperty("x-sum");
  await atRest(mesh);
  await closes(mesh, [endpoint]);
  return { ...trailers };
}

test("trailers are the reply's trailers, and none of its headers", async () => {
  expect(await trailersOf("x-sum: 1\r\nX-Other: 2\r\n")).toEqual({ "x-sum": "1", "x-other": "2" });
});

test("trailers that must not be there change nothing of the head", async () => {
  expect(await trailersOf("x-sum: 1\r\nset-cookie: a=b\r\nhost: evil\r\n")).toMatchObject({ "x-sum": "1" });
});
