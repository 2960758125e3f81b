import { MeshError, type UserLayer } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { expect, test } from "vitest";
import { inboundPolicyOf, snapshotOf } from "../../packages/core/test/builders.ts";
import { handSource } from "../../packages/core/test/hand-source.ts";
import { signingKey } from "../../packages/core/test/token-issuer.ts";
import { answerTo, guarded, statusOf } from "./guarded.ts";

interface Refused {
  readonly inbound?: object;
  readonly options?: object;
  /** Before the request comes. */
  readonly before?: () => void;
  readonly head?: string;
}

const layer = (fail: () => never): { readonly layers: readonly UserLayer[] } => ({
  layers: [{ at: "inbound", layer: () => async () => fail() }],
});
const jwt = [{ issuer: "https://issuer.example", jwks: { inline: { keys: [signingKey().jwk] } } }];
const gone = handSource(snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews")] }) as never);
const trusting = { apiVersion: "heddle/v1", mesh: { trustHeaders: true }, services: { reviews: {} } };

const REASONS: readonly (readonly [outcome: string, status: number, refused: Refused])[] = [
  ["mtls_required", 403, { options: { identity: testAuthority().source("reviews") } }],
  ["permission_denied", 403, { inbound: { authorize: [{ name: "nothing", to: [{ paths: ["/elsewhere"] }] }] } }],
  ["unauthenticated", 401, { inbound: { jwt }, head: "authorization: Bearer none\r\n" }],
  ["invalid_request", 400, { inbound: { authorize: [{ name: "all", to: [{ paths: ["/*"] }] }] }, head: "host: other\r\n" }],
  ["deadline_exceeded", 504, { options: { config: trusting }, head: "x-envoy-expected-rq-timeout-ms: 0\r\n" }],
  [
    "extension_failed",
    500,
    {
      options: layer(() => {
        throw new Error("broken");
      }),
    },
  ],
  [
    "overloaded",
    503,
    {
      options: layer(() => {
        throw new MeshError("overloaded", "too much");
      }),
    },
  ],
  [
    "not_ready",
    503,
    {
      options: { config: gone },
      before: () => gone.update({ ...snapshotOf({ inboundPolicies: [] }), enumeratesServices: false } as never),
    },
  ],
];

test.each(REASONS)("the line of a request refused with %s has the status that was sent, %d", async (outcome, status, refused) => {
  const lines: Record<string, unknown>[] = [];
  const accessLog = { logger: { info: (line: object) => void lines.push(line as Record<string, unknown>) } };
  const { listener } = await guarded(refused.inbound ?? {}, (_request, response) => response.end(), { accessLog, ...refused.options });
  refused.before?.();
  const head = `GET /api/7 HTTP/1.1\r\nhost: reviews\r\n${refused.head ?? ""}connection: close\r\n\r\n`;
  expect(statusOf(await answerTo(listener.port, head))).toBe(status);
  expect(lines).toEqual([expect.objectContaining({ direction: "inbound", outcome, status })]);
  // What a layer of the application says is its own.
  if (!refused.options || !("layers" in refused.options)) expect(lines[0]?.why).toMatch(/^serving GET http:\/\/reviews\/api\/7: /);
});
