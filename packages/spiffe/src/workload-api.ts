import {
  type CertificateSource,
  checkKeys,
  compileSpiffeIdMatcher,
  type Duration,
  describeValue,
  durationMs,
  type Environment,
  type SpiffeIdMatcher,
} from "@heddle/core";
import { parseWorkloadAddress, type WorkloadAddress } from "./workload-address.ts";
import { grpcStream } from "./workload-grpc.ts";
import { workloadSource } from "./workload-source.ts";

/** Every field may be left out. */
export interface WorkloadApiOptions {
  /** `unix:///path/to/agent.sock` or `tcp://127.0.0.1:8081`. Default: what `SPIFFE_ENDPOINT_SOCKET` says. */
  readonly address?: string;
  /** Where `SPIFFE_ENDPOINT_SOCKET` is looked up. Default: `process.env`. */
  readonly environment?: Environment;
  /**
   * Which SVID is this process's, where the agent issues several: `spiffe://shop.example/ns/shop/sa/web`, or the first below
   * `spiffe://shop.example/ns/shop/*`. With `hint`, both must fit. Default: the first that the agent names.
   */
  readonly id?: string;
  /** The same by what the operator calls it. Default: whatever it is called. */
  readonly hint?: string;
  /** Waits before another stream is opened: any time up to `base`, twice that after the next failure, and so on up to `max`. */
  readonly backoff?: {
    /** From `1ms`. Default: `500ms`. */
    readonly base?: Duration;
    /** At least `base`. A stream that has lived that long is a success. Default: `30s`. */
    readonly max?: Duration;
  };
  /** How long the first message of a stream may take, connecting included, from `1ms`. Default: `1m`, for an agent may poll a kubelet. */
  readonly responseTimeout?: Duration;
  /**
   * Every so often a silent connection is asked whether the agent is still there, from `1s`. A server of grpc-go, as SPIRE's is, cuts
   * connections that ask more often than every 5 minutes. Default: `6m`.
   */
  readonly keepalive?: Duration;
  /** How long the answer to that may take, from `1ms`. Default: `20s`. */
  readonly keepaliveTimeout?: Duration;
}

const WHERE = "identity.workloadApi";
const VARIABLE = "SPIFFE_ENDPOINT_SOCKET";
const KEYS = ["address", "environment", "id", "hint", "backoff", "responseTimeout", "keepalive", "keepaliveTimeout"];
/** Those of durations. */
export const DEFAULTS = { base: "500ms", max: "30s", responseTimeout: "1m", keepalive: "6m", keepaliveTimeout: "20s" } as const;

/**
 * The identity that the SPIFFE Workload API issues to this process: that of SPIRE, or of whatever else speaks it. X.509-SVID and bundles come
 * in one message of FetchX509SVID, and each message takes the place of the one before. Needs the package @grpc/grpc-js.
 *
 * Throws TypeError for options that are wrong. An agent that is not there, or says something wrong, is told to the listener and asked
 * again; the last state stays in force. An open stream keeps the process alive until it is closed.
 */
export function workloadApi(options: WorkloadApiOptions = {}): CertificateSource {
  checkKeys(options, KEYS, WHERE);
  const { backoff = {} } = options;
  checkKeys(backoff, ["base", "max"], `${WHERE}: backoff`);
  const address = addressOf(options);
  const baseMs = atLeast(1, backoff.base ?? DEFAULTS.base, "backoff.base");
  const settings = {
    address,
    choice: { id: matcherOf(options.id), hint: hintOf(options.hint) },
    backoff: { baseMs, maxMs: atLeast(baseMs, backoff.max ?? DEFAULTS.max, "backoff.max") },
    responseTimeoutMs: atLeast(1, options.responseTimeout ?? DEFAULTS.responseTimeout, "responseTimeout"),
  };
  const keepaliveMs = atLeast(1_000, options.keepalive ?? DEFAULTS.keepalive, "keepalive");
  const keepaliveTimeoutMs = atLeast(1, options.keepaliveTimeout ?? DEFAULTS.keepaliveTimeout, "keepaliveTimeout");
  return workloadSource({ ...settings, openStream: grpcStream({ target: address.target, keepaliveMs, keepaliveTimeoutMs }) });
}

function addressOf({ address, environment = process.env }: WorkloadApiOptions): WorkloadAddress {
  const where = address === undefined ? VARIABLE : `${WHERE}: address`;
  // An empty variable is how a shell unsets one.
  const text: unknown = address ?? (environment[VARIABLE] || undefined);
  if (text === undefined) throw new TypeError(`${WHERE}: expected the option address or the environment variable ${VARIABLE}`);
  if (typeof text !== "string") throw new TypeError(`${where}: ${describeValue(text)} must be a string`);
  const parsed = parseWorkloadAddress(text);
  if (!parsed.ok) throw new TypeError(`${where}: ${parsed.reason}`);
  return parsed.value;
}

function matcherOf(id: unknown): SpiffeIdMatcher | null {
  if (id === undefined) return null;
  if (typeof id !== "string") throw new TypeError(`${WHERE}: id: ${describeValue(id)} must be a SPIFFE ID, or one that ends with /*`);
  const matcher = compileSpiffeIdMatcher(id);
  if (!matcher.ok) throw new TypeError(`${WHERE}: id: ${matcher.reason}`);
  return matcher.value;
}

function hintOf(hint: unknown): string | null {
  if (hint === undefined) return null;
  if (typeof hint !== "string" || hint === "")
    throw new TypeError(`${WHERE}: hint: ${describeValue(hint)} must be a string that is not empty`);
  return hint;
}

function atLeast(leastMs: number, value: Duration, option: string): number {
  const ms = durationMs(value, `${WHERE}: ${option}`);
  if (ms < leastMs) throw new TypeError(`${WHERE}: ${option}: ${describeValue(value)} must be at least ${leastMs} ms`);
  return ms;
}
