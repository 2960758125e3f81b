import type { Clock, Timer } from "../clock.ts";
import { formatDuration } from "../duration.ts";
import { MeshError } from "../errors.ts";
import type { Random } from "../random.ts";
import type { Channel, ChannelSettings, Connectivity, Transport } from "../transport.ts";
import { ProvenPeers } from "./proven-peers.ts";

/** Unused this long, a channel is closed; the next request opens a new one. */
const IDLE_MS = 5 * 60_000;

/** Handshakes take 2 ms of CPU each, here and at the other end: those of a rotation are spread over so long. */
const RENEWAL_WINDOW_MS = 30_000;
/** A channel that was renewed finishes what it has in flight for at least so long: answers take no longer. */
const MIN_FINISH_MS = 5 * 60_000;
/** A stream that is older has outlived what it was authenticated by for long enough. */
const MAX_FINISH_MS = 60 * 60_000;

/** A claim on the channel of an address under certain settings; shared by every backend that has the same endpoint. */
export interface ChannelLease {
  readonly settings: ChannelSettings;
  /** The open channel; opens it on first use. */
  channel(now: number): Channel;
  /** Connections open now. */
  connections(): number;
  /** null: no channel is open, or it does not say. */
  connectivity(): Connectivity | null;
  /** Nothing used it for a long time and nothing is open: whoever holds it can give it up, and lease another at the next use. */
  isIdle(now: number): boolean;
  /** The next use opens a new channel; the one there is now finishes what it has in flight. */
  renew(): void;
  release(): void;
}

/** What a request gets that was between two tries when everything was destroyed. */
const CLOSED: Channel = {
  send: ({ method, authority }) => Promise.reject(new MeshError("closed", `${method} ${authority}: the mesh was closed`)),
  connections: () => 0,
  close: () => Promise.resolve(),
  destroy() {},
};

interface Entry {
  /** The channel has these very settings, and reads the connect timeout for each connection. */
  readonly settings: { -readonly [Key in keyof ChannelSettings]: ChannelSettings[Key] };
  channel: Channel | null;
  /** Of the channel, where it is of mutual TLS. */
  peers: ProvenPeers | null;
  leases: number;
  usedAt: number;
  /** Until the channel is renewed after a rotation. */
  renewal: Timer | null;
}

function isMutual({ tls }: ChannelSettings): boolean {
  return tls?.mode === "mutual";
}

interface Finishing {
  readonly settings: ChannelSettings;
  /** Until it is cut; null: it may take however long it takes. */
  limit: Timer | null;
}

function isIdle({ usedAt, channel }: Entry, now: number): boolean {
  return now - usedAt >= IDLE_MS && (channel?.connections() ?? 0) === 0;
}

/**
 * All channels of a mesh, by address, protocol and TLS settings. A configuration change costs no connection to an endpoint that
 * stays: a channel that nobody holds is closed only when its address has left the configuration, or after a long idle time.
 */
export class Channels {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #entries = new Map<string, Entry>();
  /** Those that finish what they have in flight. */
  readonly #closing = new Map<Channel, Finishing>();
  #isDestroyed = false;

  constructor(transport: Transport, clock: Clock, random: Random) {
    this.#transport = transport;
    this.#clock = clock;
    this.#random = random;
  }

  lease(settings: ChannelSettings): ChannelLease {
    const key = JSON.stringify([settings.address, settings.protocol, settings.tls?.key ?? null, settings.maxConnections]);
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { settings: { ...settings }, channel: null, peers: null, leases: 0, usedAt: this.#clock.now(), renewal: null };
      this.#entries.set(key, entry);
    }
    entry.settings.connectTimeoutMs = settings.connectTimeoutMs;
    return this.#leaseOf(entry);
  }

  #leaseOf(entry: Entry): ChannelLease {
    entry.leases++;
    let isReleased = false;
    return {
      settings: entry.settings,
      channel: (now) => {
        if (this.#isDestroyed) return CLOSED;
        entry.usedAt = now;
        entry.channel ??= this.#open(entry);
        return entry.channel;
      },
      connections: () => entry.channel?.connections() ?? 0,
      connectivity: () => entry.channel?.connectivity?.() ?? null,
      isIdle: (now) => isIdle(entry, now),
      renew: () => this.#close(entry),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        entry.leases--;
      },
    };
  }

  #open(entry: Entry): Channel {
    const { settings } = entry;
    if (settings.tls === null || !isMutual(settings)) return this.#transport.open(settings);
    const time = { clock: this.#clock, random: this.#random };
    entry.peers = new ProvenPeers(settings.tls, time, () => this.#close(entry, this.#clock.wallTime()));
    const channelSettings = {
      ...settings,
      tls: entry.peers.tls,
      get connectTimeoutMs() {
        return settings.connectTimeoutMs;
      },
    };
    return this.#transport.open(channelSettings);
  }

  /** Closes what is no longer needed: unheld channels of addresses that are gone, and those that nothing used for a long time. */
  sweep(isKnown: (address: string) => boolean): void {
    const now = this.#clock.now();
    const held = new Set<string>();
    for (const { settings, leases } of this.#entries.values()) if (leases > 0) held.add(settings.address);
    for (const [key, entry] of this.#entries) {
      const isUnused = isIdle(entry, now);
      if (entry.leases > 0) {
        if (isUnused) this.#close(entry);
        // Where the address is held through another channel, this one has old settings.
      } else if (isUnused || held.has(entry.settings.address) || !isKnown(entry.settings.address)) {
        this.#entries.delete(key);
        this.#close(entry);
      }
    }
  }

  /**
   * The certificate of this process, or the roots it trusts, changed. New connections have the new ones at once, whoever opens them;
   * channels of mutual TLS that are open now are renewed one by one, spread by chance over 30 s. One that waits for that since the last
   * rotation waits no longer because of this one. Where a root was withdrawn (`formerUntilMs` is now), those that lead to a peer that
   * would be refused now are renewed at once. What they have in flight may finish until `formerUntilMs` (wall-clock time: when what
   * it was authenticated by ends), within 5 minutes and 1 hour; then it is cut.
   */
  rotate(formerUntilMs: number): void {
    for (const [channel, finishing] of this.#closing)
      if (isMutual(finishing.settings)) finishing.limit ??= this.#cutAt(formerUntilMs, channel, finishing.settings.address);
    const isWithdrawal = formerUntilMs <= this.#clock.wallTime();
    for (const entry of this.#entries.values()) {
      if (entry.channel === null || !isMutual(entry.settings)) continue;
      if (isWithdrawal && entry.peers?.hasDoubtful) {
        this.#close(entry, formerUntilMs);
        continue;
      }
      if (entry.renewal !== null) continue;
      const renew = () => this.#close(entry, formerUntilMs);
      entry.renewal = this.#clock.setTimer(this.#random() * RENEWAL_WINDOW_MS, renew, "idle");
    }
  }

  /**
   * The certificate of this process expired, and no other came: channels of mutual TLS close now, all at once, as nobody shakes hands
   * anew. What they have in flight may finish as after a rotation.
   */
  expire(): void {
    const now = this.#clock.wallTime();
    for (const [channel, finishing] of this.#closing)
      if (isMutual(finishing.settings)) finishing.limit ??= this.#cutAt(now, channel, finishing.settings.address);
    for (const entry of this.#entries.values()) if (isMutual(entry.settings)) this.#close(entry, now);
  }

  #close(entry: Entry, untilMs: number | null = null): void {
    const { channel, peers, renewal, settings } = entry;
    if (renewal) this.#clock.clearTimer(renewal);
    peers?.close();
    entry.renewal = null;
    entry.peers = null;
    entry.channel = null;
    if (!channel) return;
    this.#closing.set(channel, { settings, limit: untilMs === null ? null : this.#cutAt(untilMs, channel, settings.address) });
    // A channel that fails to close has nothing left to serve; destroy() frees it with the mesh.
    const forget = () => this.#forget(channel);
    channel.close().then(forget, forget);
  }

  #cutAt(untilMs: number, channel: Channel, address: string): Timer {
    const leftMs = Math.min(MAX_FINISH_MS, Math.max(MIN_FINISH_MS, untilMs - this.#clock.wallTime()));
    const cut = () => {
      this.#forget(channel);
      const why = `it was authenticated by a certificate or a root that is in force no longer, and had ${formatDuration(leftMs)} to finish`;
      channel.destroy(new MeshError("connection_reset", `a connection to ${address} was cut: ${why}`));
    };
    return this.#clock.setTimer(leftMs, cut, "idle");
  }

  #forget(channel: Channel): void {
    const limit = this.#closing.get(channel)?.limit;
    if (limit) this.#clock.clearTimer(limit);
    this.#closing.delete(channel);
  }

  /** Lets what is in flight finish. */
  async close(): Promise<void> {
    for (const entry of this.#entries.values()) this.#close(entry);
    await Promise.allSettled([...this.#closing.keys()].map((channel) => channel.close()));
  }

  /** Cuts everything; nothing is opened any more. */
  destroy(reason: Error): void {
    this.#isDestroyed = true;
    for (const { channel, peers, renewal, settings } of this.#entries.values()) {
      peers?.close();
      if (renewal) this.#clock.clearTimer(renewal);
      if (channel) this.#closing.set(channel, { settings, limit: null });
    }
    this.#entries.clear();
    for (const channel of [...this.#closing.keys()]) {
      this.#forget(channel);
      channel.destroy(reason);
    }
  }
}
