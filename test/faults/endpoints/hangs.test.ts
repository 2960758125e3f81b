import type { MeshErrorCode } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { DOORS } from "./doors.ts";
import type { Fault } from "./fault.ts";
import type { RawEndpoint } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes } from "./setup.ts";

nothingEscapes();

const LIMIT_MS = 400;
/** Of a machine that has other things to do. */
const SLACK_MS = 2_000;

/** What this process notices over 100 ms late is not held against the endpoint. */
const LATE_MS = 90;

interface Stage {
  readonly stage: string;
  readonly hasHead: boolean;
  readonly script: Fault["script"];
}

/** Each stage at which nothing comes any more; the connection stays open. */
const STAGES: readonly Stage[] = [
  { stage: "accepts and never reads", hasHead: false, script: () => undefined },
  { stage: "hangs after the request", hasHead: false, script: (connection) => connection.request() },
  ...["HTTP/1.1 2", "HTTP/1.1 200 OK\r\nconte", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n"].map((said) => ({
    stage: `hangs in the head (${said.length} bytes)`,
    hasHead: false,
    script: afterRequest(said),
  })),
  { stage: "hangs after the head", hasHead: true, script: afterRequest("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n") },
  { stage: "hangs in a body with its length", hasHead: true, script: afterRequest("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345") },
  { stage: "hangs in a chunk", hasHead: true, script: afterRequest("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\na\r\n12345") },
  { stage: "hangs in a body without a length", hasHead: true, script: afterRequest("HTTP/1.1 200 OK\r\n\r\n12345") },
];

function afterRequest(said: string): Fault["script"] {
  return async (connection) => {
    await connection.request();
    await connection.write(said);
  };
}

interface Limit {
  readonly limit: string;
  readonly policies: object;
  readonly code: MeshErrorCode;
  readonly attempt: string;
  /** What is bounded. */
  readonly until: "head" | "body" | "end";
  /** node:http's own requests have it too. */
  readonly isAgents: boolean;
}

const LIMITS: readonly Limit[] = [
  {
    limit: "the total",
    policies: { timeout: { total: LIMIT_MS } },
    code: "deadline_exceeded",
    attempt: "deadline",
    until: "end",
    isAgents: true,
  },
  {
    limit: "the head's",
    policies: { timeout: { head: LIMIT_MS } },
    code: "deadline_exceeded",
    attempt: "deadline",
    until: "head",
    isAgents: true,
  },
  {
    limit: "the try's",
    policies: { retry: { maxRetries: 0, perTryTimeout: LIMIT_MS } },
    code: "attempt_timeout",
    attempt: "attempt-timeout",
    until: "head",
    isAgents: false,
  },
  {
    limit: "the idle",
    policies: { timeout: { idle: LIMIT_MS } },
    code: "deadline_exceeded",
    attempt: "deadline",
    until: "body",
    isAgents: false,
  },
];

describe.each(DOORS)("through $name", (door) => {
  const limits = LIMITS.filter(({ isAgents }) => isAgents || door.isWhole);
  test.each(limits)("an endpoint that hangs at any stage is left after $limit timeout", async ({ policies, code, attempt, until }) => {
    const stages = STAGES.filter(({ hasHead }) => until === "end" || hasHead === (until === "body"));
    const endpoints = await Promise.all(stages.map(() => endpointOf()));
    const services = Object.fromEntries(
      endpoints.flatMap(({ address }, at) => [
        [`limited${at}`, { endpoints: [{ address }], ...policies }],
        [`patient${at}`, { endpoints: [{ address }] }],
      ]),
    );
    const mesh = await join([await endpointOf()], {}, services);

    const meet = async ({ stage, hasHead, script }: Stage, at: number): Promise<void> => {
      const endpoint = endpoints[at] as RawEndpoint;
      let guilty = 0;
      const hang = async (method: "POST" | "GET"): Promise<void> => {
        endpoint.next((connection) => script(connection, Promise.resolve()));
        const startedAt = performance.now();
        const outcome = await door.send(mesh, { method, url: `http://limited${at}/`, ...(method === "POST" && { body: "once" }) });
        const tookMs = performance.now() - startedAt;
        expect(outcome, `${stage}: ${outcome.error}`).toMatchObject({ code, hadHead: hasHead, attempts: [attempt] });
        expect(tookMs).toBeGreaterThan(LIMIT_MS - 5);
        expect(tookMs).toBeLessThan(LIMIT_MS + SLACK_MS);
        if (tookMs < LIMIT_MS + LATE_MS) guilty++;
      };
      await Promise.all([hang("POST"), hang("GET")]);
      expect(await door.send(mesh, { method: "GET", url: `http://patient${at}/` }), stage).toMatchObject({ status: 200, body: "well" });
      expect(endpoint.requests.filter(({ method }) => method === "POST").length).toBeLessThanOrEqual(1);
      const [books] = inspected(mesh, `limited${at}`);
      expect(books?.requests).toBe(2);
      expect(books?.failures).toBeGreaterThanOrEqual(guilty);
    };
    await Promise.all(stages.map(meet));
    await atRest(mesh);
    await closes(mesh, endpoints);
  });
});
