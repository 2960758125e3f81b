import type { Clock } from "../clock.ts";
import { MeshError } from "../errors.ts";
import type { Channel, ChannelSettings, Transport } from "../transport.ts";

/** Unused this long, a channel is closed; the next request opens a new one. */
const IDLE_MS = 5 * 60_000;

/** A claim on the channel of an address under certain settings; shared by every backend that has the same endpoint. */
export interface ChannelLease {
  readonly settings: ChannelSettings;
  /** The open channel; opens it on first use. */
  channel(now: number): Channel;
  /** Connections open now. */
  connections(): number;
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
  leases: number;
  usedAt: number;
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
  readonly #entries = new Map<string, Entry>();
  readonly #closing = new Set<Channel>();
  #isDestroyed = false;

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport;
    this.#clock = clock;
  }

  lease(settings: ChannelSettings): ChannelLease {
    const key = JSON.stringify([settings.address, settings.protocol, settings.tls?.key ?? null, settings.maxConnections]);
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { settings: { ...settings }, channel: null, leases: 0, usedAt: this.#clock.now() };
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
        entry.channel ??= this.#transport.open(entry.settings);
        return entry.channel;
      },
      connections: () => entry.channel?.connections() ?? 0,
      isIdle: (now) => isIdle(entry, now),
      renew: () => this.#close(entry),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        entry.leases--;
      },
    };
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

  #close(entry: Entry): void {
    const { channel } = entry;
    entry.channel = null;
    if (!channel) return;
    this.#closing.add(channel);
    // A channel that fails to close has nothing left to serve; destroy() frees it with the mesh.
    const forget = () => this.#closing.delete(channel);
    channel.close().then(forget, forget);
  }

  /** Lets what is in flight finish. */
  async close(): Promise<void> {
    for (const entry of this.#entries.values()) this.#close(entry);
    await Promise.allSettled([...this.#closing].map((channel) => channel.close()));
  }

  /** Cuts everything; nothing is opened any more. */
  destroy(reason: Error): void {
    this.#isDestroyed = true;
    for (const entry of this.#entries.values()) if (entry.channel) this.#closing.add(entry.channel);
    this.#entries.clear();
    for (const channel of this.#closing) channel.destroy(reason);
    this.#closing.clear();
  }
}
