import type { TLSSocket } from "node:tls";
import type { ClientTls } from "../client-tls.ts";
import type { Clock, Timer } from "../clock.ts";
import type { Random } from "../random.ts";

/** Whose peers share a certificate does not shake hands with all of them in the same moment. */
const SPREAD_MS = 30_000;
/** The wall clock may jump, and a timer holds 24 days at most. */
const LONGEST_LOOK_MS = 60_000;

interface Proven {
  readonly authority: string;
  /** Wall-clock time: when its connection has to be given up, at the latest when what it proved ends. */
  readonly untilMs: number;
}

/**
 * Those that the open connections of a channel lead to, as far as they proved who they are. A connection must not outlive that proof:
 * `ended` is called, once, when the first one's ends, up to 30 s before if it lasts for longer than a minute.
 */
export class ProvenPeers {
  /** To be given to the transport in place of the one here: whom it lets through is known. */
  readonly tls: ClientTls;
  readonly #given: ClientTls;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ended: () => void;
  readonly #peers = new Map<TLSSocket, Proven>();
  #timer: Timer | null = null;
  #lookAtMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(tls: ClientTls, { clock, random }: { readonly clock: Clock; readonly random: Random }, ended: () => void) {
    this.#given = tls;
    this.#clock = clock;
    this.#random = random;
    this.#ended = ended;
    this.tls = {
      key: tls.key,
      mode: tls.mode,
      connectOptions: (authority) => tls.connectOptions(authority),
      watch: (socket, authority) => tls.watch(socket, authority),
      provenUntilMs: (socket) => tls.provenUntilMs(socket),
      refusal: (socket, authority) => {
        const refused = tls.refusal(socket, authority);
        if (refused === null) this.#add(socket, authority);
        return refused;
      },
    };
  }

  /** One of them would be refused if it came now. */
  get hasDoubtful(): boolean {
    for (const [socket, { authority }] of this.#peers) if (this.#given.refusal(socket, authority) !== null) return true;
    return false;
  }

  /** Looks no longer. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#peers.clear();
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  #add(socket: TLSSocket, authority: string): void {
    if (this.#isClosed || this.#peers.has(socket)) return;
    const endMs = this.#given.provenUntilMs(socket);
    const isLong = endMs - this.#clock.wallTime() > 2 * SPREAD_MS;
    const untilMs = isLong ? endMs - this.#random() * SPREAD_MS : endMs;
    this.#peers.set(socket, { authority, untilMs });
    socket.once("close", () => this.#peers.delete(socket));
    if (untilMs < this.#lookAtMs) this.#lookAt(untilMs);
  }

  #lookAt(untilMs: number): void {
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    this.#lookAtMs = untilMs;
    const leftMs = untilMs - this.#clock.wallTime();
    this.#timer = this.#clock.setTimer(Math.max(0, Math.min(LONGEST_LOOK_MS, leftMs)), () => this.#look(), "idle");
  }

  #look(): void {
    this.#timer = null;
    this.#lookAtMs = Number.POSITIVE_INFINITY;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { untilMs } of this.#peers.values()) nextMs = Math.min(nextMs, untilMs);
    if (nextMs <= this.#clock.wallTime()) this.#ended();
    else if (this.#peers.size > 0) this.#lookAt(nextMs);
  }
}
