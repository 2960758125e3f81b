import { Socket } from "node:net";
import { expect, test } from "vitest";
import { failureOfHandshake, inHandshakeWords } from "./tls-failure.ts";

test.each([
  [42, "the server refused the certificate of this process (TLS alert bad certificate)"],
  [45, "the server refused the certificate of this process (TLS alert certificate expired)"],
  [48, "the server refused the certificate of this process (TLS alert unknown ca)"],
  [116, "the server refused the certificate of this process (TLS alert certificate required)"],
  [40, "the server refused the TLS connection (TLS alert handshake failure)"],
  [70, "the server refused the TLS connection (TLS alert protocol version)"],
  [99, "the server refused the TLS connection (TLS alert 99)"],
])("alert %i says who refused what", (number, words) => {
  const error = new Error(`0A:error:0A000418:SSL routines:ssl3_read_bytes:whatever:SSL alert number ${number}`);
  expect(inHandshakeWords(error)).toMatchObject({ message: words, cause: error });
});

test("an error that is not about TLS stays as it is", () => {
  const error = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" });
  expect(inHandshakeWords(error)).toBe(error);
});

test("a connection without a handshake is never said to have failed in one", () => {
  expect(failureOfHandshake(new Socket(), new Error("SSL alert number 48"), true)).toBeNull();
  expect(failureOfHandshake(null, new Error("SSL alert number 48"), true)).toBeNull();
});
