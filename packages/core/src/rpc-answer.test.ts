import fc from "fast-check";
import { expect, test } from "vitest";
import { callOf, requestOf } from "../test/builders.ts";
import { localResponse } from "./message.ts";
import { PushBody } from "./push-body.ts";
import { answerTo, endedWith, isFailedAtOnce, trailersOnly } from "./rpc-answer.ts";

test("a message survives the wire, on which it is printable ASCII", () => {
  const sent = (text: string) => trailersOnly(2, text).body.trailers?.["grpc-message"] ?? "";
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      expect(sent(text)).toMatch(/^[ -~]*$/);
      expect(decodeURIComponent(String(sent(text)))).toBe(text);
    }),
  );
  expect(sent("50% off \u2013 caf\u00e9\ud800")).toBe("50%25 off %E2%80%93 caf%C3%A9%EF%BF%BD");
});

test("an answer of trailers only has ended when it begins", () => {
  const { status, headers, body } = trailersOnly(14, "full\n", { "x-why": "load" });
  expect([status, { ...headers }, body.hasEnded]).toEqual([200, { "content-type": "application/grpc" }, true]);
  expect({ ...body.trailers }).toEqual({ "grpc-status": "14", "grpc-message": "full%0A", "x-why": "load" });
});

test("a call has failed at once only if nothing of its answer came", () => {
  expect(isFailedAtOnce(trailersOnly(14, ""))).toBe(true);
  expect(isFailedAtOnce(trailersOnly(0, ""))).toBe(false);
  const goesOn = { ...trailersOnly(0, ""), body: new PushBody(null) };
  expect([endedWith(goesOn), isFailedAtOnce(goesOn)]).toEqual([null, false]);
  goesOn.body.push(Buffer.from("message"));
  goesOn.body.end({ "grpc-status": "14" });
  expect([endedWith(goesOn), isFailedAtOnce(goesOn)]).toEqual([14, false]);
});

test("what ends without a status ends with UNKNOWN, or with what its HTTP status means", () => {
  expect(endedWith(localResponse(200, null))).toBe(2);
  expect(endedWith(localResponse(503, null))).toBe(14);
  const broken = new PushBody(null);
  broken.fail(new Error("cut"));
  expect(endedWith({ status: 200, headers: {}, body: broken })).toBeNull();
});

test("the mesh's own answer to a call is a status of gRPC with its text and headers, but for those of a body", () => {
  const headers = { "content-type": "text/plain", "x-why": "test" };
  const toCall = answerTo(requestOf(callOf()), 503, "gone\n", headers);
  expect([toCall.status, { ...toCall.body.trailers }]).toEqual([200, { "grpc-status": "14", "grpc-message": "gone", "x-why": "test" }]);
  const toRequest = answerTo(requestOf(), 503, "gone\n", headers);
  expect([toRequest.status, toRequest.headers["x-why"]]).toEqual([503, "test"]);
});
