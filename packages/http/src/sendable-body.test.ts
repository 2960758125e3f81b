import { AsyncLocalStorage } from "node:async_hooks";
import { expect, test } from "vitest";
import type { Exchange } from "./exchange.ts";
import { sendableBody } from "./sendable-body.ts";

test("the caller's iterable runs in the scope of its request, whoever asks it for chunks", async () => {
  const scope = new AsyncLocalStorage<string>();
  const seen: (string | undefined)[] = [];
  async function* chunks(): AsyncGenerator<string> {
    try {
      seen.push(scope.getStore());
      yield "one";
      seen.push(scope.getStore());
      yield "two";
    } finally {
      seen.push(scope.getStore());
    }
  }
  const body = scope.run("the request", () => sendableBody(chunks(), {} as Exchange)) as AsyncIterable<string>;
  await scope.run("the connection", async () => {
    for await (const chunk of body) if (chunk === "two") break;
  });
  expect(seen).toEqual(["the request", "the request", "the request"]);
});

test("what the caller's iterable throws is noted on the exchange", async () => {
  const error = new Error("the disk is gone");
  const exchange = {} as Exchange;
  const body = sendableBody(
    {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }),
    },
    exchange,
  ) as AsyncIterable<string>;
  await expect(body[Symbol.asyncIterator]().next()).rejects.toBe(error);
  expect(exchange.bodyFailure).toEqual({ error });
});
