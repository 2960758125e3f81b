import { type Clock, type HeaderMap, localResponse, type MeshResponse, startInbound } from "@heddle/core";
import { inboundPolicyOf, requestOf } from "@heddle/testing";
import fc from "fast-check";
import { currentScope } from "../../packages/core/src/context.ts";
import { Deadlines } from "../../packages/core/src/deadlines.ts";
import { MeshError } from "../../packages/core/src/errors.ts";
import { inboundContext } from "../../packages/core/src/inbound-context.ts";
import { inboundDeadline } from "../../packages/core/src/inbound-deadline.ts";
import type { Handler } from "../../packages/core/src/layer.ts";
import { fault } from "../../packages/core/src/policy/fault.ts";
import { readTraceContext } from "../../packages/core/src/telemetry/propagation.ts";
import { Waits } from "../../packages/core/src/waits.ts";
import { expectSame, fuzz, fuzzAsync } from "./fuzz.ts";
import { hostileText } from "./hostile.ts";

const NOW = 1_000;
const clock: Clock = { now: () => NOW, wallTime: () => 0, setTimer: () => ({}), clearTimer: () => undefined };
const deadlines = new Deadlines(clock);

const number = fc.oneof(
  fc.integer({ min: -5, max: 20_000 }).map(String),
  fc.constantFrom(
    "",
    "0",
    "-0",
    "1",
    "2",
    "01",
    "0002",
    "+2",
    " 2",
    "2 ",
    "2.0",
    "1e3",
    "0x2",
    "99999999",
    "100000000",
    "-99999999",
    "9".repeat(400),
    "NaN",
    "Infinity",
    "\u0662",
  ),
  hostileText(1),
);
const field = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 1, arbitrary: fc.array(number, { maxLength: 2 }) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);

function digitsOf(text: string, least: number, most: number): number | undefined {
  const isNumber = text.length >= least && text.length <= most && [...text].every((digit) => digit >= "0" && digit <= "9");
  return isNumber ? Number(text) : undefined;
}

const first = (given: string | string[] | undefined): string | undefined => (typeof given === "object" ? given[0] : given);

interface Seen {
  deadlineAt: number;
  isRetry: boolean;
}

/** Runs the two layers that believe headers; what their application would inherit, or null where it was not called. */
function inherited(headers: HeaderMap, trustHeaders: boolean, isCall = false): Seen | null {
  let seen: Seen | null = null;
  const application = ((): Promise<MeshResponse> => {
    const scope = currentScope();
    seen = { deadlineAt: scope?.deadlineAt ?? Number.NaN, isRetry: scope?.isRetry ?? false };
    return Promise.resolve(localResponse(200, null));
  }) as unknown as Handler;
  const policy = inboundPolicyOf({ trustHeaders });
  const { request } = startInbound({ clock, deadlines } as unknown as Parameters<typeof startInbound>[0], {
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path: "/",
    headers,
    app: application as unknown as Parameters<typeof startInbound>[1]["app"],
    ...(isCall && { rpc: { kind: "unary", waitForReady: false, client: null } }),
  });
  const stack = inboundContext(() => policy, readTraceContext)(inboundDeadline(policy, { clock, deadlines })(application));
  void stack(request as unknown as Parameters<Handler>[0]).catch((error: unknown) => {
    if (!(error instanceof MeshError) || error.code !== "deadline_exceeded") throw error;
  });
  return seen;
}

fuzz(
  "believes deadline and attempt headers exactly if the policy trusts them and they are plain numbers",
  fc.record({ timeout: field, attempts: field, trusts: fc.boolean() }),
  ({ timeout, attempts, trusts }) => {
    const seen = inherited({ "x-envoy-expected-rq-timeout-ms": timeout, "x-envoy-attempt-count": attempts }, trusts);
    const text = first(timeout) ?? "";
    const milliseconds = text.startsWith("-") ? digitsOf(text.slice(1), 1, 8) : digitsOf(text, 1, 8);
    const expectedMs = milliseconds === undefined ? undefined : text.startsWith("-") ? -milliseconds : milliseconds;
    const isLate = trusts && expectedMs !== undefined && expectedMs <= 0;
    const isRetry = trusts && (digitsOf(first(attempts) ?? "", 1, 4) ?? 0) > 1;
    const deadlineAt = trusts && expectedMs !== undefined ? NOW + expectedMs : Number.POSITIVE_INFINITY;
    expectSame(seen, isLate ? null : { deadlineAt, isRetry });
  },
);

const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

fuzz(
  "believes grpc-timeout exactly if the policy trusts it and it is at most eight digits and a unit",
  fc.record({ timeout: fc.oneof(field, fc.stringMatching(/^[0-9]{0,9}[HMSmunhs ]$/)), trusts: fc.boolean() }),
  ({ timeout, trusts }) => {
    const seen = inherited({ "grpc-timeout": timeout }, trusts, true);
    const text = first(timeout) ?? "";
    const amount = digitsOf(text.slice(0, -1), 1, 8);
    const unit = UNIT_MS[text.slice(-1)];
    const givenMs = trusts && amount !== undefined && unit !== undefined ? amount * unit : Number.POSITIVE_INFINITY;
    const deadlineAt = givenMs > 99_999_999 ? Number.POSITIVE_INFINITY : NOW + givenMs;
    expectSame(seen, deadlineAt <= NOW ? null : { deadlineAt, isRetry: false });
  },
);

fuzzAsync(
  "a request chooses its own fault exactly where the document lets it, and within bounds",
  fc.record({ delay: field, status: field, byHeader: fc.boolean() }),
  async ({ delay, status, byHeader }) => {
    let waitedMs = 0;
    const waiting: Clock = {
      ...clock,
      setTimer: (delayMs, callback) => {
        waitedMs = delayMs;
        queueMicrotask(callback);
        return {};
      },
    };
    const layer = fault({ delay: null, abort: null, byHeader }, { clock: waiting, random: () => 0, waits: new Waits() });
    const request: unknown = requestOf({ headers: { "x-envoy-fault-delay-request": delay, "x-envoy-fault-abort-request": status } });
    const passed = { status: 299 } as unknown as Awaited<ReturnType<Handler>>;
    const answer = await layer(() => Promise.resolve(passed))(request as Parameters<Handler>[0]);
    const wantedMs = byHeader ? (digitsOf(first(delay) ?? "", 1, 9) ?? 0) : 0;
    const wanted = byHeader ? digitsOf(first(status) ?? "", 1, 9) : undefined;
    expectSame(waitedMs, Math.min(wantedMs, 60_000));
    expectSame(answer.status, wanted !== undefined && wanted >= 200 && wanted <= 599 ? wanted : 299);
  },
);
