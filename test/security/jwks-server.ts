import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { OwnFetch } from "../../packages/core/src/authorization/jwks-fetch.ts";
import { ownCalls } from "../../packages/http/src/own-calls.ts";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface JwksServer extends AsyncDisposable {
  readonly url: string;
  /** The mesh's own. */
  readonly fetch: OwnFetch;
  /** Paths asked for, in their order. */
  readonly asked: readonly string[];
  /** What is answered from now on. */
  answer: Answer;
  /** Resolves once so many requests have come in. */
  came(count: number): Promise<void>;
  /** Stops listening: from now on it is down. */
  stop(): Promise<void>;
}

export function keysAnswer(...jwks: readonly object[]): Answer {
  return (_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: jwks }));
  };
}

/** An issuer's key server on loopback. */
export async function jwksServer(answer: Answer): Promise<JwksServer> {
  const asked: string[] = [];
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    self.answer(request, response);
    for (const { count, resolve } of waiting) if (asked.length >= count) resolve();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const own = ownCalls();
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const self: JwksServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`,
    fetch: own.fetch,
    asked,
    answer,
    came: (count) => (asked.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }))),
    stop,
    async [Symbol.asyncDispose]() {
      await own.close();
      if (server.listening) await stop();
    },
  };
  return self;
}
