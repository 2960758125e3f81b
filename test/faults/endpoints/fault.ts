import type { AttemptOutcome, MeshErrorCode } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { DOORS, type Door, type Outcome } from "./doors.ts";
import type { RawConnection } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes } from "./setup.ts";

/** What a caller gets for a try that met a fault. */
export type Expected = Failure | Answer;

export interface Failure {
  /** `none`: the error is of others, and the report alone says what it was. */
  readonly code: MeshErrorCode | "none";
  /** Whether the head came before. */
  readonly at: "head" | "body";
  readonly attempt: AttemptOutcome;
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** Only if it is held against the endpoint: how the report calls it. */
  readonly attempt?: string;
  readonly isRetried?: true;
}

export interface Fault {
  readonly name: string;
  /** `hasHead`: the caller has the head. */
  readonly script: (connection: RawConnection, hasHead: Promise<void>) => unknown;
  readonly expected: Expected;
  /** Where node:http, which reads the answer itself, differs. */
  readonly agent?: Expected;
  readonly isNotForAgents?: true;
  /** Where the WHATWG says something else about an answer. */
  readonly fetch?: Expected;
}

export const RESET: Failure = { code: "connection_reset", at: "head", attempt: "reset" };
export const RESET_IN_BODY: Failure = { code: "connection_reset", at: "body", attempt: "reset" };
export const NOT_HTTP: Failure = { code: "protocol_error", at: "head", attempt: "protocol-error" };
export const NOT_HTTP_IN_BODY: Failure = { code: "protocol_error", at: "body", attempt: "protocol-error" };

/** node:http says so itself, on the message, where the connection ended without an error. */
export const ABORTED: Failure = { code: "none", at: "body", attempt: "reset" };

/** Everything that can be retried is: what is not repeated here is never repeated. */
const RETRY = { maxRetries: 1, on: ["connect-failure", "refused-stream", "reset", "gateway-error", "5xx"], backoff: { base: 1, max: 1 } };

/** Nothing here should come near it. */
const TIMEOUT = "5s";

/** Each fault through each door: a POST, a GET, and then a healthy one. */
export function survives(faults: readonly Fault[]): void {
  nothingEscapes();
  describe.each(DOORS)("through $name", (door) => {
    test.each(faults.filter(({ isNotForAgents }) => door.isWhole || !isNotForAgents))("$name", (fault) => meet(door, fault));
  });
}

async function meet(door: Door, fault: Fault): Promise<void> {
  const endpoint = await endpointOf();
  const mesh = await join([endpoint], { retry: RETRY, timeout: TIMEOUT });
  const send = (method: "GET" | "POST", path: string) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    endpoint.next((connection) => fault.script(connection, promise));
    const body = method === "POST" ? { body: "once" } : {};
    return door.send(mesh, { method, url: `http://reviews${path}`, ...body, onHead: resolve });
  };
  const expected = (door.name === "mesh.agent" ? fault.agent : door.name === "mesh.fetch" ? fault.fetch : undefined) ?? fault.expected;
  const failed = "code" in expected ? expected : null;
  const isHeldGuilty = expected.attempt !== undefined;
  const isRetried = failed === null ? (expected as Answer).isRetried === true : failed.attempt === "reset" && failed.at === "head";

  expectOutcome(await send("POST", "/post"), expected);
  await atRest(mesh);
  expect(endpoint.heads.filter(({ method }) => method === "POST").length).toBeLessThanOrEqual(1);

  const got = await send("GET", "/get");
  const isRepeated = door.isWhole && isRetried;
  if (isRepeated) {
    expect(got).toMatchObject({ status: 200, body: "well", attempts: [expected.attempt, "200"] });
  } else expectOutcome(got, expected);

  expect(await door.send(mesh, { method: "GET", url: "http://reviews/after" })).toMatchObject({ status: 200, body: "well" });
  await atRest(mesh);
  expect(inspected(mesh)[0]).toMatchObject({ requests: isRepeated ? 4 : 3, failures: isHeldGuilty ? 2 : 0 });
  await closes(mesh, [endpoint]);
}

export function expectOutcome(outcome: Outcome, expected: Expected): void {
  if ("code" in expected) {
    const { code, at, attempt } = expected;
    expect(outcome, String(outcome.error)).toMatchObject({ code, hadHead: at === "body", attempts: [attempt] });
  } else {
    const { status, body, headers = {}, attempt = String(status) } = expected;
    expect(outcome, String(outcome.error)).toMatchObject({ code: null, status, body, headers, attempts: [attempt] });
  }
}
