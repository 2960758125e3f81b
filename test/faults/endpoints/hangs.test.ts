import { type MeshErrorCode, meshError } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { DOORS } from "./doors.ts";
import type { Fault } from "./fault.ts";
import { holdUps } from "./hold-ups.ts";
import type { RawEndpoint } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes } from "./setup.ts";

nothingEscapes();

const LIMIT_MS = 400;
/** Of a machine that has other things to do. */
const SLACK_MS = 2_000;

/** A process that says it was held up was so for longer at one time: 100 ms, less what two timers may differ by. */
const HELD_UP_MS = 80;

/** What a time-out says that is not held against the endpoint. */
const HELD_UP = "the event loop of this process was blocked";

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

    const patient = async (stage: string, at: number): Promise<void> => {
      expect(await door.send(mesh, { method: "GET", url: `http://patient${at}/` }), stage).toMatchObject({ status: 200, body: "well" });
    };
    // What a first request loads is in place, so that it takes nothing of the time of those that hang.
    await patient("before", 0);

    const meet = async ({ stage, hasHead, script }: Stage, at: number): Promise<void> => {
      const endpoint = endpoints[at] as RawEndpoint;
      let guilty = 0;
      const hang = async (method: "POST" | "GET"): Promise<void> => {
        endpoint.next((connection) => script(connection, Promise.resolve()));
        using held = holdUps();
        const startedAt = performance.now();
        const outcome = await door.send(mesh, { method, url: `http://limited${at}/`, ...(method === "POST" && { body: "once" }) });
        const tookMs = performance.now() - startedAt;
        const [heldUpMs, longestMs] = [held.sumMs(), held.longestMs()];
        const about = `${stage}: ${outcome.error}; held up for ${heldUpMs} ms of ${tookMs}, ${longestMs} at one time`;
        expect(outcome, about).toMatchObject({ code, attempts: [attempt] });
        // Where this process had no time for it, the head may have come and not been seen.
        if (heldUpMs < HELD_UP_MS) expect(outcome.hadHead, about).toBe(hasHead);
        expect(tookMs, about).toBeGreaterThan(LIMIT_MS - 5);
        expect(tookMs, about).toBeLessThan(LIMIT_MS + SLACK_MS + heldUpMs);
        if (meshError(outcome.error)?.message.includes(HELD_UP)) expect(longestMs, about).toBeGreaterThan(HELD_UP_MS);
        else guilty++;
      };
      await Promise.all([hang("POST"), hang("GET")]);
      await patient(stage, at);
      expect(endpoint.requests.filter(({ method }) => method === "POST").length).toBeLessThanOrEqual(1);
      const [books] = inspected(mesh, `limited${at}`);
      expect(books, stage).toMatchObject({ requests: 2, failures: guilty });
    };
    await Promise.all(stages.map(meet));
    await atRest(mesh);
    await closes(mesh, endpoints);
  });
});
