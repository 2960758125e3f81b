import type {
  FailureDocument,
  FallbackDocument,
  FaultDocument,
  MirrorDocument,
  PolicyDocument,
  RespondDocument,
  WhenEmptyDocument,
} from "../../gen/document.ts";
import type { FailureConfig } from "../../model/backend.ts";
import { DEFAULT_FAILURE } from "../../model/defaults.ts";
import type { Fraction } from "../../model/match.ts";
import type { FallbackPolicy, FaultPolicy, MirrorPolicy, RouteAction } from "../../model/route.ts";
import { asList } from "./inherit.ts";
import { backendName, lowerCaseNames } from "./names.ts";
import { milliseconds } from "./translate-policy.ts";

/** Exact, in the coarsest of the units that xDS has. */
export function fractionOf(percent: number | undefined): Fraction {
  const millionths = Math.round((percent ?? 100) * 10_000);
  if (millionths % 10_000 === 0) return { numerator: millionths / 10_000, denominator: 100 };
  if (millionths % 100 === 0) return { numerator: millionths / 100, denominator: 10_000 };
  return { numerator: millionths, denominator: 1_000_000 };
}

export function faultPolicy(document: FaultDocument | "off" | undefined): FaultPolicy | null {
  if (document === undefined || document === "off") return null;
  const { delay, abort, headers } = document;
  return {
    delay: delay ? { fraction: fractionOf(delay.percent), durationMs: milliseconds(delay.duration, 0) } : null,
    abort: abort ? { fraction: fractionOf(abort.percent), status: abort.status ?? null, grpc: abort.grpc ?? null } : null,
    byHeader: headers === true,
  };
}

/** `serviceName` is the service whose routes mirror. */
export function mirrorPolicies(serviceName: string, document: PolicyDocument["mirror"]): readonly MirrorPolicy[] {
  return mirrorsOf(document).map(({ service, subset, percent }) => ({
    backend: backendName(service ?? serviceName, subset),
    fraction: fractionOf(percent),
  }));
}

export function mirrorsOf(document: PolicyDocument["mirror"]): readonly MirrorDocument[] {
  return document === "off" ? [] : asList<MirrorDocument>(document);
}

export function fallbackPolicy(serviceName: string, document: FallbackDocument | "off" | undefined): FallbackPolicy | null {
  if (document === undefined || document === "off") return null;
  const { on, respond, service, subset } = document;
  return { on, action: respond ? respondAction(respond) : { kind: "forward", backend: backendName(service ?? serviceName, subset) } };
}

export function respondAction(respond: RespondDocument): Extract<RouteAction, { kind: "respond" }> {
  const body = respond.json !== undefined ? JSON.stringify(respond.json) : (respond.body ?? null);
  const type = respond.json !== undefined ? "application/json" : "text/plain; charset=utf-8";
  const headers = lowerCaseNames(respond.headers);
  return {
    kind: "respond",
    status: respond.status,
    body,
    headers: body === null || Object.hasOwn(headers, "content-type") ? headers : lowerCaseNames({ "content-type": type, ...headers }),
  };
}

export function failureConfig(document: FailureDocument | "off" | undefined): FailureConfig {
  if (document === undefined || document === "off") return DEFAULT_FAILURE;
  return {
    statuses: document.statuses ?? DEFAULT_FAILURE.statuses,
    grpc: document.grpc ?? DEFAULT_FAILURE.grpc,
    slowerThanMs: document.slowerThan === undefined ? null : milliseconds(document.slowerThan, 0),
  };
}

export function emptyWaitMs(document: WhenEmptyDocument | "off" | undefined): number {
  return document === undefined || document === "off" ? 0 : milliseconds(document.wait, 0);
}
