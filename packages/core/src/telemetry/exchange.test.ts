import { expect, test } from "vitest";
import { answering, failing, requestWith } from "../../../../test/telemetry/fake-exchange.ts";
import { MeshError } from "../errors.ts";
import { localResponse } from "../message.ts";
import { TransportFailure } from "../transport.ts";
import { outcomeOf, whenOver } from "./exchange.ts";

test("an exchange is over when its body ends, not at the head", async () => {
  const { handler, body } = answering(200);
  const ends: unknown[] = [];
  const response = await whenOver(handler(requestWith()), (...end) => ends.push(end));
  expect(ends).toEqual([]);
  body.end(null);
  expect(ends).toEqual([[response, null]]);
});

test("an exchange that fails before the head is over at once, and the failure goes on unchanged", async () => {
  const error = new Error("broken");
  const ends: unknown[] = [];
  await expect(whenOver(failing(error)(requestWith()), (...end) => ends.push(end))).rejects.toBe(error);
  expect(ends).toEqual([[null, error]]);
});

const reply = localResponse(200, null);

test("a response that ended well is its status", () => {
  expect(outcomeOf("outbound", requestWith(), reply, null)).toBe(200);
});

test("a failure is a MeshError's code, wherever in the causes it is", () => {
  const wrapped = new TypeError("fetch failed", { cause: new MeshError("breaker_open", "open") });
  expect(outcomeOf("outbound", requestWith(), null, wrapped)).toBe("breaker_open");
});

test("a transport's failure of a body has the code it would have had before the head", () => {
  for (const [kind, code] of [
    ["connect-failure", "connect_failed"],
    ["refused-stream", "connection_reset"],
    ["reset", "connection_reset"],
    ["protocol-error", "protocol_error"],
  ] as const) {
    expect(outcomeOf("outbound", requestWith(), reply, new TransportFailure(kind, "x"))).toBe(code);
  }
});

test("a request its caller stopped is cancelled; stopped by a deadline it has the deadline's code", () => {
  const left = requestWith();
  left.cancel.cancel("gone");
  expect(outcomeOf("outbound", left, null, "gone")).toBe("cancelled");
  const late = requestWith();
  late.cancel.cancel(new MeshError("deadline_exceeded", "late"));
  expect(outcomeOf("outbound", late, null, late.cancel.reason)).toBe("deadline_exceeded");
});

test("a body its reader gave up is cancelled; an application that broke its own answer failed", () => {
  expect(outcomeOf("outbound", requestWith(), reply, new Error("enough"))).toBe("cancelled");
  expect(outcomeOf("inbound", requestWith(), reply, new Error("boom"))).toBe("failed");
  expect(outcomeOf("inbound", requestWith(), null, new Error("boom"))).toBe("failed");
});
