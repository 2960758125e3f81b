import type { Check, Facts, Finding, Target } from "../finding.ts";
import { addressesOf, parseAddress } from "../targets.ts";

/** So many connections are tried at a time. */
const AT_ONCE = 32;

interface Tried {
  readonly service: string;
  readonly address: string;
  /** null: it can be reached. */
  readonly why: string | null;
}

export const endpoints: Check = {
  about: "endpoints that cannot be reached",
  async find(facts) {
    const waiting = [...addressesOf(facts.configuration.snapshots)].flatMap(([service, addresses]) =>
      [...addresses].map((address) => ({ service, address })),
    );
    const tried: Tried[] = [];
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        tried.push({ ...next, why: await reach(next.address, facts) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    const services = [...new Set(tried.map(({ service }) => service))].sort();
    return services.flatMap((service) =>
      findingsOf(
        service,
        tried.filter((one) => one.service === service),
      ),
    );
  },
};

function findingsOf(service: string, tried: readonly Tried[]): readonly Finding[] {
  const lost = tried.filter(({ why }) => why !== null);
  if (lost.length === 0) return [];
  const list = lost.map(({ address, why }) => `${address} (${why})`).join(", ");
  const whatToDo = "start what should listen there, or correct the address; a firewall shows as a connection that is not made in time";
  if (lost.length === tried.length) {
    const why = `every call to ${service} fails with connect_failed`;
    return [{ severity: "error", what: `no endpoint of ${service} can be reached: ${list}`, why, whatToDo }];
  }
  const why = "calls are answered by the others, some of them after a try that fails";
  return [
    { severity: "warning", what: `${lost.length} of ${tried.length} endpoints of ${service} cannot be reached: ${list}`, why, whatToDo },
  ];
}

/** Why it cannot be reached; null if it can, and for a name that does not resolve, which is another check's. */
async function reach(address: string, { connect, resolve }: Facts): Promise<string | null> {
  const parsed = parseAddress(address);
  if (parsed.kind === "target") return connect(parsed.target);
  const targets: readonly Target[] =
    parsed.kind === "name"
      ? (await resolve.addresses(parsed.host).catch(() => [])).map(({ address: host }) => ({ host, port: parsed.port }))
      : (await resolve.services(parsed.name).catch(() => [])).map(({ host, port }) => ({ host, port }));
  const answers = await Promise.all(targets.map(connect));
  return answers.includes(null) ? null : (answers[0] ?? null);
}
