import { envSource, hasEnvironmentServices, type MeshSnapshot, type Problem } from "@heddle/core";
import fc from "fast-check";
import { expect } from "vitest";
import { splitAuthority } from "../../packages/core/src/control/document/formats.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, piecesOf } from "./hostile.ts";

const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("reviews", "Reviews", "a-b", "A_B", "ratings") },
  { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_NAMES, "") },
  { weight: 1, arbitrary: hostileText(1) },
);
const variable = fc.oneof(
  fc
    .tuple(
      fc.constantFrom("services", "SERVICES"),
      name,
      fc.constantFrom("http", "https", "grpc"),
      fc.constantFrom("0", "1", "10", "x", "9".repeat(400)),
    )
    .map((parts) => parts.join("__")),
  name.map((text) => `${text.toUpperCase().replaceAll("-", "_")}_HTTP`),
  fc.constantFrom("HEDDLE_SERVICE", "PATH", "ENABLE_HTTP", "__proto__"),
);
const address = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom("127.0.0.1", "reviews", "[::1]"), fc.integer({ min: 1, max: 65_535 }))
      .map(([host, port]) => `${host}:${port}`),
  },
  {
    weight: 1,
    arbitrary: piecesOf(["http://", "https://", "reviews", ":", "80", "/", "?a", "#b", "@", "u:p@", ":p@", ",", " ", ".", "99999"], 5),
  },
  { weight: 1, arbitrary: hostileText(2) },
);
const value = fc.oneof(
  address,
  fc.tuple(address, address).map((both) => both.join(",")),
  fc.constantFrom("", undefined, "true", "reviews"),
);

/** `host:port` as an endpoint is dialled, or undefined where a value can be none. */
function endpointModel(text: string): string | undefined {
  if (!text.includes("://")) return splitAuthority(text)?.port == null ? undefined : text.toLowerCase();
  const url = URL.parse(text);
  const isBare = url !== null && url.protocol === "http:" && url.href === `http://${url.host}/`;
  return isBare ? `${url.hostname}:${url.port || "80"}` : undefined;
}

function read(env: Readonly<Record<string, string | undefined>>): {
  readonly snapshot: MeshSnapshot | null;
  readonly problems: readonly Problem[];
} {
  let snapshot: MeshSnapshot | null = null;
  const problems: Problem[] = [];
  const clock = { now: () => 0, wallTime: () => 0, setTimer: () => ({}), clearTimer: () => undefined };
  envSource(env).watch(
    {
      update: (next) => {
        snapshot = next;
      },
      problem: (problem) => void problems.push(problem),
    },
    clock,
  )();
  return { snapshot, problems };
}

fuzz(
  "every endpoint stands in a variable as it is dialled, and what cannot be one is reported",
  fc.array(fc.tuple(variable, value), { maxLength: 4 }),
  (variables) => {
    const env: Record<string, string | undefined> = Object.create(null);
    for (const [key, held] of variables) env[key] = held;
    const { snapshot, problems } = read(env);
    hasEnvironmentServices(env);
    if (snapshot === null) {
      expect(problems.length).toBeGreaterThan(0);
      for (const { where, message } of problems) expectSame([typeof where, message !== ""], ["string", true]);
      return;
    }
    expectSame(snapshot.egress, "allow");
    const allowed = new Set(
      Object.values(env)
        .flatMap((text) => [text ?? "", ...(text ?? "").split(",").map((item) => item.trim())])
        .map(endpointModel),
    );
    for (const { endpoints } of snapshot.endpointSets.values())
      for (const { address: dialled } of endpoints) expect(allowed, `${dialled} of ${JSON.stringify(env)}`).toContain(dialled);
    for (const policy of snapshot.inboundPolicies.values()) expectSame(policy.trustHeaders, false);
  },
);

const plainName = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
// `dns:1` and `unix:1` are no host:port in a document.
const plainHost = fc.stringMatching(/^[a-z]{1,5}$/).filter((host) => host !== "dns" && host !== "unix");
const plainAddress = fc.tuple(plainHost, fc.integer({ min: 1, max: 65_535 })).map(([host, port]) => `${host}:${port}`);

fuzz(
  "services come back as they were written into the environment, in either form",
  fc.uniqueArray(fc.tuple(plainName, fc.uniqueArray(plainAddress, { minLength: 1, maxLength: 3 }), fc.boolean()), {
    maxLength: 3,
    selector: ([service]) => service,
  }),
  (services) => {
    const env: Record<string, string> = {};
    for (const [service, addresses, isAspire] of services) {
      if (isAspire) for (const [index, each] of addresses.entries()) env[`services__${service}__http__${index}`] = `http://${each}`;
      else env[`${service.toUpperCase()}_HTTP`] = addresses.join(", ");
    }
    const { snapshot } = read(env);
    const found = [...(snapshot?.endpointSets.values() ?? [])].map((set) => [set.name, set.endpoints.map((endpoint) => endpoint.address)]);
    const expected = services.map(([service, addresses]) => [service, addresses]);
    const byName = (one: readonly unknown[], other: readonly unknown[]): number => (String(one[0]) < String(other[0]) ? -1 : 1);
    expectSame(found.sort(byName), expected.sort(byName));
  },
);
