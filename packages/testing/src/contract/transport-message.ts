import assert from "node:assert/strict";
import type { HeaderMap, MeshRequest, RequestBody } from "@heddle/core";
import { bodyText } from "../read-body.ts";
import { type ContractCheck, fulfilled, rejection } from "./check.ts";
import { type ChannelCheck, channelCheck, type TransportHarness } from "./transport-harness.ts";

/** What HTTP has and gRPC has not: statuses, and answers without a body. */
export const transportHttpChecks: readonly ContractCheck<TransportHarness>[] = [
  channelCheck("gives status and headers with lower-case names", async (check) => {
    await check.endpoint.answer(() => ({ status: 418, headers: { "X-Kind": "Teapot" }, body: "short and stout" }));
    const response = await exchange(check, check.request());
    assert.equal(response.status, 418);
    assert.equal(response.headers["x-kind"], "Teapot");
    assert.equal(response.text, "short and stout");
  }),
  ...[
    { what: "HEAD", method: "HEAD", status: 200 },
    { what: "204", method: "GET", status: 204 },
    { what: "304", method: "GET", status: 304 },
  ].map(({ what, method, status }) =>
    channelCheck(`ends the empty body of ${what}, whatever comes next`, async (check) => {
      await check.endpoint.answer(() => ({ status, headers: { etag: '"1"' } }));
      const response = await exchange(check, check.request({ method }));
      assert.equal(response.status, status);
      assert.equal(response.headers.etag, '"1"');
      assert.equal(response.text, "");
      await exchange(check, check.request({ method }));
    }),
  ),
];

/** What is sent and what comes back. */
export const transportMessageChecks: readonly ContractCheck<TransportHarness>[] = [
  channelCheck("sends method, path and query, authority and headers as they are", async (check) => {
    await check.endpoint.answer(() => ({}));
    const headers: HeaderMap = { accept: "text/plain", "x-user": "jason", "user-agent": "mine/1" };
    const request = check.request({ method: "PATCH", authority: "reviews.shop:8080", path: "/a%20b/c?d=e&d=f", headers, body: "x" });
    await exchange(check, request);
    const [received] = check.endpoint.requests;
    assert.equal(received?.method, request.method);
    assert.equal(received?.path, "/a%20b/c?d=e&d=f");
    assert.equal(received?.authority, "reviews.shop:8080", "the authority");
    for (const [name, value] of Object.entries(headers)) assert.equal(received?.headers[name], value, `the header ${name}`);
  }),
  channelCheck("changes nothing in the request it is given", async (check) => {
    await check.endpoint.answer(() => ({}));
    const headers = Object.freeze({ accept: "text/plain", "x-many": Object.freeze(["one", "two"]) as string[] });
    await exchange(check, Object.freeze(check.request({ method: "POST", headers, body: "content" })));
  }),
  channelCheck("sends and gives every value of a header that repeats", async (check) => {
    await check.endpoint.answer(() => ({ headers: { "set-cookie": ["a=1", "b=2"], "x-one": "1" } }));
    const response = await exchange(check, check.request({ headers: { "x-many": ["one", "two"] } }));
    assert.equal([check.endpoint.requests[0]?.headers["x-many"]].flat().join(", "), "one, two");
    assert.deepEqual(response.headers["set-cookie"], ["a=1", "b=2"]);
    assert.equal(response.headers["x-one"], "1");
  }),
  ...requestBodies().map(({ what, body, expected }) =>
    channelCheck(`sends a request body that is ${what}`, async (check) => {
      await check.endpoint.answer(() => ({}));
      await exchange(check, check.request({ method: "POST", body: body() }));
      assert.equal(check.endpoint.requests[0]?.text(), expected);
    }),
  ),
  channelCheck("rejects with the very error that the request body throws, and goes on with the next request", async (check) => {
    await check.endpoint.answer(() => ({ body: "fine" }));
    const error = new Error("the caller's stream broke");
    async function* broken(): AsyncGenerator<string> {
      yield "begun";
      throw error;
    }
    const reason = await rejection(check, check.channel.send(check.request({ method: "POST", body: broken() })), "the error of the body");
    assert.equal(reason, error);
    assert.equal((await exchange(check, check.request())).text, "fine");
  }),
  channelCheck("gives trailers with the end of the body", async (check) => {
    await check.endpoint.answer(() => ({ body: "content", trailers: { "X-Checksum": "7" } }));
    const response = await exchange(check, check.request());
    assert.equal(response.text, "content");
    assert.equal(response.trailers?.["x-checksum"], "7");
  }),
];

interface Exchanged {
  readonly status: number;
  readonly headers: HeaderMap;
  readonly text: string;
  readonly trailers: HeaderMap | null;
}

async function exchange(check: ChannelCheck, request: MeshRequest): Promise<Exchanged> {
  const { status, headers, body } = await fulfilled(check, check.channel.send(request), "a response");
  const text = await fulfilled(check, bodyText(body), "the whole body");
  return { status, headers, text, trailers: body.trailers };
}

function requestBodies(): readonly { what: string; body: () => RequestBody; expected: string }[] {
  async function* mixed(): AsyncGenerator<string | Uint8Array> {
    yield "grüße ";
    yield Buffer.from("and bytes");
  }
  return [
    { what: "a string", body: () => "grüße", expected: "grüße" },
    { what: "bytes", body: () => Buffer.from("bytes"), expected: "bytes" },
    { what: "a stream of strings and bytes", body: mixed, expected: "grüße and bytes" },
    { what: "absent", body: () => null, expected: "" },
  ];
}
