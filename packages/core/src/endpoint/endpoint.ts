import type { Attempt } from "../context.ts";
import type { Endpoint } from "../model/endpoint-set.ts";
import type { ChannelLease } from "./channels.ts";

/** One exchange in flight; a link in its endpoint's list, oldest first. */
export interface Exchange {
  readonly startedAt: number;
  previous: Exchange | null;
  next: Exchange | null;
  isReleased: boolean;
}

export type EndpointStatus = "ready" | "ejected" | "half-open" | "draining";

/**
 * What a backend knows about one of its endpoints. Stands beside the configuration and survives it: keyed by address, and uid where
 * the source has one.
 */
export class EndpointState {
  /** As configured now; replaced when its weight or labels change. */
  endpoint: Endpoint;
  readonly address: string;
  inFlight = 0;
  oldest: Exchange | null = null;
  #newest: Exchange | null = null;
  #probe: Exchange | null = null;

  /** Peak-EWMA estimate in milliseconds, and when it was made; NaN before the first sample. */
  estimateMs: number = Number.NaN;
  estimateAt = 0;
  /** The estimate is mostly the penalty of a failure, which is forgotten faster than slowness. */
  isPenalised = false;

  status: EndpointStatus = "ready";
  consecutiveFailures = 0;
  /** Grows with each ejection, decays while healthy: multiplies the next one. */
  ejectionMultiplier = 0;
  /** How often in a row it was found to drain, or gone after that; 0 unless it is draining or about to be probed. */
  drains = 0;
  /** When an ejected or draining endpoint may be probed. */
  returnsAt = 0;
  /** When it last became ready. */
  readySince: number;

  /** The newest connection that a try went by. */
  #newestConnection = 0;
  /** Those up to this one died together, as far as they have died. */
  #diedUpTo = 0;

  requests = 0;
  failures = 0;
  ejections = 0;
  lease: ChannelLease | null = null;

  constructor(endpoint: Endpoint, now: number) {
    this.endpoint = endpoint;
    this.address = endpoint.address;
    this.readySince = now;
  }

  /** Half-open with its one probe under way: takes nothing else. */
  get isProbed(): boolean {
    return this.status === "half-open" && this.#probe !== null && !this.#probe.isReleased;
  }

  begin(now: number): Exchange {
    const exchange: Exchange = { startedAt: now, previous: this.#newest, next: null, isReleased: false };
    if (this.#newest) this.#newest.next = exchange;
    else this.oldest = exchange;
    this.#newest = exchange;
    if (this.status === "half-open") this.#probe = exchange;
    this.inFlight++;
    this.requests++;
    return exchange;
  }

  /** A try went by this connection. */
  sawConnection(connection: number): void {
    if (connection > this.#newestConnection) this.#newestConnection = connection;
  }

  /**
   * A kept connection died before a byte of an answer. Whether that is no news: another such connection died before, and this one was
   * open by then. A process that is restarted takes all of them with it, which is one failure, however many there were.
   */
  isOldNews(connection: number): boolean {
    if (connection <= this.#diedUpTo) return true;
    this.#diedUpTo = this.#newestConnection;
    return false;
  }

  /** Ends the load of an exchange; idempotent. */
  release(exchange: Exchange): void {
    if (exchange.isReleased) return;
    exchange.isReleased = true;
    const { previous, next } = exchange;
    if (previous) previous.next = next;
    else this.oldest = next;
    if (next) next.previous = previous;
    else this.#newest = previous;
    // A released link that the garbage collector has put among the old would keep all that came after it alive.
    exchange.previous = null;
    exchange.next = null;
    this.inFlight--;
  }
}

/** This request has been at this endpoint before. */
export function wasTried(state: EndpointState, tries: readonly Attempt[]): boolean {
  for (const attempt of tries) if (attempt.endpoint === state.address) return true;
  return false;
}
