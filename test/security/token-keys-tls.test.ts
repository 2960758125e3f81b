import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { ownCalls } from "../../packages/http/src/own-calls.ts";
import { testAuthority } from "../../packages/testing/src/authority/index.ts";
import { remoteRule, tokenGate } from "./token-gate.ts";

const key = signingKey("P-256", "forged");

let server: Server;
let asked: number;
beforeEach(async () => {
  const { certPem, keyPem } = testAuthority({ trustDomain: "evil.test" }).issue("anybody");
  asked = 0;
  server = createServer({ cert: certPem, key: keyPem }, (_request, response) => {
    asked++;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: [key.jwk] }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.close();
  server.closeAllConnections();
});

test.each([undefined, "0"])(
  "keys of a server that nobody vouches for verify no token, with NODE_TLS_REJECT_UNAUTHORIZED=%s",
  async (value) => {
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", value);
    const own = ownCalls();
    try {
      const gate = tokenGate([remoteRule(`https://localhost:${(server.address() as AddressInfo).port}/jwks`)], own.fetch);
      expect(await gate.try(tokenOf(key))).toBe("401 unauthenticated");
      expect(gate.problems).toEqual([expect.stringMatching(/self-signed certificate|unable to verify/)]);
      expect(asked).toBe(0);
    } finally {
      await own.close();
    }
  },
);
