import type { Clock, Timer } from "../clock.ts";
import type { Random } from "../random.ts";
import type { DnsAddress } from "./dns-address.ts";
import type { Resolve, ResolvedAddress, ResolvedService } from "./resolve.ts";

/** One answer: an address to connect to. */
export interface ResolvedEndpoint {
  /** `host:port`, `[v6]:port`. */
  readonly address: string;
  /** From SRV; 1 elsewhere. */
  readonly weight: number;
}

export interface ResolvedNameDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly resolve: Resolve;
  /** The first answer or failure, or an answer that differs from the one before. */
  changed(): void;
  /** It could not be resolved; told for each failure. */
  failed(error: unknown): void;
  /** It was resolved again after it could not be. */
  recovered(): void;
}

/** A TTL is honoured within these bounds: below it the name server would be asked all the time, above it a move would be seen too late. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 60_000;
/** Where no TTL is known. */
const UNKNOWN_TTL_MS = 30_000;
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 30_000;
/** A lookup that takes longer has failed. */
const LOOKUP_TIMEOUT_MS = 10_000;

/** One DNS name, looked up again whenever its answer has expired. What it resolved to last stays when a lookup fails. */
export class ResolvedName {
  endpoints: readonly ResolvedEndpoint[] = [];
  /** There was an answer or a failure. */
  isSettled = false;
  readonly #name: DnsAddress;
  readonly #dependencies: ResolvedNameDependencies;
  #timer: Timer | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(name: DnsAddress, dependencies: ResolvedNameDependencies) {
    this.#name = name;
    this.#dependencies = dependencies;
    this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#setTimer(null);
  }

  #look(): void {
    let isOver = false;
    const end = (take: () => void): void => {
      if (isOver || this.#isClosed) return;
      isOver = true;
      take();
    };
    const seconds = LOOKUP_TIMEOUT_MS / 1_000;
    this.#setTimer(LOOKUP_TIMEOUT_MS, () => end(() => this.#failed(new Error(`no answer within ${seconds} s`))));
    lookUp(this.#name, this.#dependencies.resolve).then(
      (answer) => end(() => this.#answered(answer)),
      (error: unknown) => end(() => this.#failed(error)),
    );
  }

  #answered({ endpoints, ttlMs }: Answer): void {
    const hasChanged = !this.isSettled || !isSame(endpoints, this.endpoints);
    this.isSettled = true;
    this.endpoints = endpoints;
    if (this.#failures > 0) this.#dependencies.recovered();
    this.#failures = 0;
    this.#setTimer(Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS), () => this.#look());
    if (hasChanged) this.#dependencies.changed();
  }

  #failed(error: unknown): void {
    const isFirst = !this.isSettled;
    this.isSettled = true;
    this.#failures++;
    const bound = Math.min(RETRY_MAX_MS, RETRY_BASE_MS * 2 ** (this.#failures - 1));
    // Half of it by chance, so that processes that lost their name server together do not come back together.
    this.#setTimer(bound * (0.5 + this.#dependencies.random() / 2), () => this.#look());
    this.#dependencies.failed(error);
    if (isFirst) this.#dependencies.changed();
  }

  #setTimer(delayMs: number | null, callback: () => void = () => {}): void {
    const { clock } = this.#dependencies;
    if (this.#timer) clock.clearTimer(this.#timer);
    this.#timer = delayMs === null ? undefined : clock.setTimer(delayMs, callback, "idle");
  }
}

interface Answer {
  /** Sorted: servers give their answers in another order every time. */
  readonly endpoints: readonly ResolvedEndpoint[];
  readonly ttlMs: number;
}

async function lookUp({ host, port }: DnsAddress, resolve: Resolve): Promise<Answer> {
  return port === null ? lookUpService(host, resolve) : answer([toEndpoints(await resolve.addresses(host), port, 1)]);
}

/**
 * Only the records of the lowest priority: the others are for when those are all gone, which is not built yet. One with port 0 leads
 * nowhere.
 */
async function lookUpService(name: string, resolve: Resolve): Promise<Answer> {
  const records = (await resolve.services(name)).filter(({ port }) => port > 0);
  const lowest = Math.min(...records.map(({ priority }) => priority));
  const first = records.filter(({ priority }) => priority === lowest);
  const looked = await Promise.allSettled(first.map((record) => targetEndpoints(record, resolve)));
  const found = looked.flatMap((target) => (target.status === "fulfilled" ? [target.value] : []));
  const failure = looked.find((target) => target.status === "rejected");
  // Some of the targets are better than none.
  if (found.length === 0 && failure) throw failure.reason;
  return answer(found);
}

async function targetEndpoints(record: ResolvedService, resolve: Resolve): Promise<Answer> {
  const { endpoints, ttlMs } = toEndpoints(await resolve.addresses(record.host), record.port, Math.max(1, record.weight));
  return { endpoints, ttlMs: record.ttlSeconds === null ? ttlMs : Math.min(ttlMs, record.ttlSeconds * 1_000) };
}

function toEndpoints(addresses: readonly ResolvedAddress[], port: number, weight: number): Answer {
  return {
    endpoints: addresses.map(({ address }) => ({ address: address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`, weight })),
    ttlMs: Math.min(...addresses.map(({ ttlSeconds }) => (ttlSeconds === null ? UNKNOWN_TTL_MS : ttlSeconds * 1_000))),
  };
}

function answer(answers: readonly Answer[]): Answer {
  const byAddress = new Map(answers.flatMap(({ endpoints }) => endpoints.map((endpoint) => [endpoint.address, endpoint] as const)));
  if (byAddress.size === 0) throw new Error("the answer holds no address");
  const endpoints = [...byAddress.values()].sort((one, other) => (one.address < other.address ? -1 : 1));
  return { endpoints, ttlMs: Math.min(...answers.map(({ ttlMs }) => ttlMs)) };
}

function isSame(one: readonly ResolvedEndpoint[], other: readonly ResolvedEndpoint[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ address, weight }, index) => address === other[index]?.address && weight === other[index]?.weight)
  );
}
