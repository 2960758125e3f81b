import type { Clock, Resolve } from "@heddle/core";
import fc from "fast-check";
import { ResolvedName } from "../../packages/core/src/control/resolved-name.ts";
import { expectSame, fuzzAsync } from "./fuzz.ts";

const ADDRESSES = ["10.0.0.1", "10.0.0.2", "::1", "fe80::1", "2001:db8::2"];
const ttlSeconds = fc.oneof(fc.constant(null), fc.integer({ min: -1, max: 100_000 }), fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1));
const addresses = fc.array(fc.record({ address: fc.constantFrom(...ADDRESSES), ttlSeconds }), { maxLength: 4 });
const HOSTS = ["a", "b", "__proto__", "constructor", "."];
const records = fc.array(
  fc.record({
    host: fc.constantFrom(...HOSTS),
    port: fc.integer({ min: 0, max: 65_535 }),
    priority: fc.nat(2),
    weight: fc.constantFrom(0, 1, 65_535),
    ttlSeconds,
  }),
  { maxLength: 4 },
);
/** What each host is answered; a host without an answer does not exist. */
const hosts = fc.array(fc.option(addresses, { freq: 3 }), { minLength: HOSTS.length, maxLength: HOSTS.length });

interface Found {
  readonly endpoints: readonly { readonly address: string; readonly weight: number }[];
  readonly timersMs: readonly number[];
  readonly failures: readonly unknown[];
}

/** Looks once; the clock only notes what it is asked for. */
async function lookedUp(name: { host: string; port: number | null }, resolve: Resolve): Promise<Found> {
  const timersMs: number[] = [];
  const failures: unknown[] = [];
  const clock: Clock = {
    now: () => 0,
    wallTime: () => 0,
    setTimer: (delayMs) => {
      timersMs.push(delayMs);
      return {};
    },
    clearTimer: () => undefined,
  };
  const { promise, resolve: settle } = Promise.withResolvers<void>();
  const resolved = new ResolvedName(name, {
    clock,
    random: () => 0.5,
    resolve,
    changed: settle,
    failed: (error) => failures.push(error),
    recovered: () => undefined,
  });
  await promise;
  const { endpoints } = resolved;
  resolved.close();
  return { endpoints, timersMs, failures };
}

const written = (address: string, port: number): string => `${address.includes(":") ? `[${address}]` : address}:${port}`;

fuzzAsync(
  "every answer of a name is an endpoint once, and is looked up again within a second and a minute",
  fc.record({ port: fc.option(fc.integer({ min: 1, max: 65_535 }), { freq: 1 }), answers: hosts, records }),
  async ({ port, answers, records: services }) => {
    const resolve: Resolve = {
      addresses: (host) => {
        const answer = answers[HOSTS.indexOf(host)];
        return answer ? Promise.resolve(answer) : Promise.reject(new Error("ENOTFOUND"));
      },
      services: () => Promise.resolve(services),
    };
    const found = await lookedUp({ host: "a", port }, resolve);
    const usable = services.filter((record) => record.port > 0);
    const lowest = Math.min(...usable.map(({ priority }) => priority));
    const asked = port === null ? usable.filter(({ priority }) => priority === lowest) : [{ host: "a", port, weight: 1, ttlSeconds: null }];
    const expected = new Map<string, number>();
    for (const each of asked)
      for (const { address } of answers[HOSTS.indexOf(each.host)] ?? [])
        expected.set(written(address, each.port), Math.max(1, each.weight));
    const sorted = [...expected]
      .map(([address, weight]) => ({ address, weight }))
      .sort((one, other) => (one.address < other.address ? -1 : 1));
    expectSame(found.endpoints, sorted);
    expectSame(found.failures.length, sorted.length === 0 ? 1 : 0);
    const again = found.timersMs.at(-1) ?? Number.NaN;
    if (sorted.length === 0) return;
    const ttls = asked.flatMap((each) => {
      const answer = answers[HOSTS.indexOf(each.host)];
      return answer ? [...answer.map((one) => one.ttlSeconds ?? 30), ...(each.ttlSeconds === null ? [] : [each.ttlSeconds])] : [];
    });
    expectSame(again, Math.min(60_000, Math.max(1_000, Math.min(...ttls) * 1_000)));
  },
);
