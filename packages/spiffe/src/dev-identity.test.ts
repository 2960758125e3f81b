import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CertificateState, type Clock, type Problem, seededRandom } from "@heddle/core";
import { certificateSourceContract } from "@heddle/testing";
import { describe, expect, onTestFinished, test } from "vitest";
import { peerVerifier } from "../../core/src/identity/verify-peer.ts";
import { virtualClock } from "../../core/test/virtual-clock.ts";
import { Authority } from "./authority.ts";
import { authorityFolder, createAuthorityFolder } from "./authority-folder.ts";
import { type DevIdentityOptions, type DevSurroundings, devIdentity } from "./dev-identity.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 15, 12);

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-dev-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, ".heddle/ca");
}

/** What one process hears, in virtual time. */
function watching(options: DevIdentityOptions, service: string | null = "web", surroundings: DevSurroundings = { nodeEnv: undefined }) {
  const virtual = virtualClock();
  const clock: Clock = { ...virtual, wallTime: () => START + virtual.now() };
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  const close = devIdentity(options, surroundings).watch(
    { update: (state) => states.push(state), problem: (problem) => problems.push(problem) },
    { clock, random: seededRandom(1), service },
  );
  onTestFinished(close);
  return { virtual, clock, states, problems, close, errors: () => problems.filter(({ severity }) => severity === "error") };
}

/** Stamps of files have the resolution of a file system: a write must not look like the one before. */
let writes = 0;
function put(path: string, text: string): void {
  writeFileSync(path, text);
  writes += 1;
  utimesSync(path, START / 1_000 + writes, START / 1_000 + writes);
}

function last(states: readonly CertificateState[]): CertificateState {
  const state = states.at(-1);
  if (state === undefined) throw new Error("no state was told");
  return state;
}

function accepts(by: CertificateState, peer: CertificateState, nowMs: number): boolean {
  const { chain } = peer.certificate;
  return peerVerifier().verify({ presented: chain, bundles: by.bundles, nowMs, purpose: "client", expected: null }).ok;
}

describe("the first time", () => {
  test("makes an authority of heddle.test that only its owner can read, and issues for the service", () => {
    const dir = newFolder();
    const { states, clock } = watching({ dir });
    expect(states).toHaveLength(1);
    expect(last(states).certificate.id.text).toBe("spiffe://heddle.test/web");
    expect(accepts(last(states), last(states), clock.wallTime())).toBe(true);
    expect(statSync(join(dir, "ca.key")).mode & 0o777).toBe(0o600);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(dir, ".gitignore"), "utf8")).toBe("*\n");
    expect(readdirSync(join(dir, ".."))).toEqual(["ca"]);
  });

  test("warns once a process that it is not for production, naming the folder", () => {
    const dir = newFolder();
    const { problems } = watching({ dir });
    expect(problems).toEqual([{ where: dir, severity: "warning", message: expect.stringMatching(/NOT FOR PRODUCTION.*\.heddle\/ca/) }]);
    expect(watching({ dir }, "reviews").problems).toEqual([]);
  });

  test("is of the trust domain and for the service that were asked for", () => {
    const { states } = watching({ dir: newFolder(), trustDomain: "shop.example", service: "reviews" });
    expect(last(states).certificate.id.text).toBe("spiffe://shop.example/reviews");
  });
});

test("processes that share the folder trust each other", () => {
  const dir = newFolder();
  const web = watching({ dir });
  const reviews = watching({ dir }, "reviews");
  expect(accepts(last(web.states), last(reviews.states), START)).toBe(true);
  expect(accepts(last(reviews.states), last(web.states), START)).toBe(true);
  const stranger = watching({ dir: newFolder() });
  expect(accepts(last(web.states), last(stranger.states), START)).toBe(false);
});

describe("refuses and says why, without a certificate", () => {
  const refusal = (options: DevIdentityOptions, service: string | null = "web", nodeEnv?: string): string => {
    const { states, errors, virtual, close } = watching(options, service, { nodeEnv });
    expect(states).toEqual([]);
    close();
    expect(virtual.pendingTimers).toBe(0);
    return errors()
      .map(({ message }) => message)
      .join("\n");
  };

  test("where NODE_ENV is production, and leaves no folder", () => {
    const dir = newFolder();
    expect(refusal({ dir }, "web", "production")).toContain("NODE_ENV is production");
    expect(existsSync(dir)).toBe(false);
    expect(watching({ dir, allowInProduction: true }, "web", { nodeEnv: "production" }).states).toHaveLength(1);
  });

  test("where no service is known", () => {
    expect(refusal({ dir: newFolder() }, null)).toContain("does not know whose certificate to issue");
  });

  test("where the authority is of another trust domain, which stays", () => {
    const dir = newFolder();
    watching({ dir });
    expect(refusal({ dir, trustDomain: "shop.example" })).toContain("is of heddle.test, expected shop.example");
    expect(watching({ dir }).states).toHaveLength(1);
  });

  test("where one of the files is missing or the folder holds something else, which stays", () => {
    const dir = newFolder();
    watching({ dir });
    rmSync(join(dir, "ca.key"));
    expect(refusal({ dir })).toMatch(/ca\.key is missing, and .*ca\.crt is there/);
    rmSync(join(dir, "ca.crt"));
    expect(refusal({ dir })).toContain("holds files and neither ca.crt nor ca.key");
    expect(readdirSync(dir)).toEqual([".gitignore"]);
  });

  test("where the folder cannot be made", () => {
    const dir = newFolder();
    mkdirSync(join(dir, ".."));
    writeFileSync(dir, "a file");
    expect(refusal({ dir })).toMatch(/ca\/ca\.crt cannot be read: ENOTDIR/);
  });

  test("where a file cannot be looked at", () => {
    const dir = newFolder();
    mkdirSync(dir, { recursive: true });
    for (const name of ["ca.crt", "ca.key"]) symlinkSync(name, join(dir, name));
    expect(refusal({ dir })).toMatch(/ca\.crt cannot be read: ELOOP/);
  });

  test("where the service is no segment of a path, as the name of one may be", () => {
    const dir = newFolder();
    expect(refusal({ dir }, "a b")).toMatch(
      /cannot issue for the service "a b": .*may hold only letters.*; say identity\.dev\(\{ service \}\)$/,
    );
    expect(existsSync(dir)).toBe(false);
  });
});

test.each<[DevIdentityOptions, string]>([
  [{ trustDomain: "Shop" }, "trust domain"],
  [{ service: "a/b" }, 'identity.dev service: "a/b"'],
  [{ lifetime: "1s" }, "must be at least 2s"],
  [{ lifetime: "25h" }, "at most 24h"],
  [{ trustdomain: "a" } as DevIdentityOptions, 'did you mean "trustDomain"'],
])("throws TypeError for %o", (options, message) => {
  expect(() => devIdentity(options)).toThrow(TypeError);
  expect(() => devIdentity(options)).toThrow(message);
});

describe("renewal", () => {
  test("comes at half of life, with a new key, and tells the same bundles", async () => {
    const { virtual, states } = watching({ dir: newFolder(), lifetime: "1h" });
    await virtual.advance(0.44 * HOUR);
    expect(states).toHaveLength(1);
    await virtual.advance(0.07 * HOUR);
    expect(states).toHaveLength(2);
    const [first, second] = states;
    expect(second?.bundles).toBe(first?.bundles);
    expect(second?.certificate.privateKey.equals(first?.certificate.privateKey ?? second.certificate.privateKey)).toBe(false);
    await virtual.advance(10 * HOUR);
    expect(states.length).toBeGreaterThanOrEqual(21);
    expect(states.length).toBeLessThanOrEqual(25);
  });

  test("comes at another share of life where that is asked for", async () => {
    const { virtual, states } = watching({ dir: newFolder(), lifetime: "1h", rotation: { fraction: 0.8, jitter: 0 } });
    await virtual.advance(0.8 * HOUR - 1);
    expect(states).toHaveLength(1);
    await virtual.advance(1);
    expect(states).toHaveLength(2);
  });

  test.each([
    [{ fraction: 1 }, "identity.dev rotation.fraction: 1 must be above 0 and at most 0.9"],
    [{ fracton: 0.5 }, "fracton"],
    [{ backoff: { minMs: 1_000, maxMs: 1 } }, "identity.dev rotation.backoff.maxMs: 1 must be"],
  ])("as nobody can want it is a TypeError: %o", (rotation, message) => {
    expect(() => devIdentity({ dir: newFolder(), rotation: rotation as object })).toThrow(
      expect.objectContaining({ name: "TypeError", message: expect.stringContaining(message) }),
    );
  });

  test("counts life from when it was issued, and not from the minute before in which it begins", async () => {
    const { virtual, states } = watching({ dir: newFolder(), lifetime: "2m" });
    await virtual.advance(50_000);
    expect(states).toHaveLength(1);
    await virtual.advance(11_000);
    expect(states).toHaveLength(2);
  });

  test("of a short life does not come without a pause", async () => {
    const { virtual, states } = watching({ dir: newFolder(), lifetime: "2s" });
    await virtual.advance(20_000);
    expect(states.length).toBeGreaterThan(15);
    expect(states.length).toBeLessThanOrEqual(21);
  });

  test("goes on failing, said once, when the authority has expired", async () => {
    const dir = newFolder();
    createAuthorityFolder(authorityFolder(dir), Authority.create({ trustDomain: "heddle.test", nowMs: START, lifetimeMs: 2 * HOUR }));
    const { virtual, states, errors, problems } = watching({ dir });
    await virtual.advance(1.75 * HOUR);
    expect(problems).toHaveLength(1);
    await virtual.advance(0.25 * HOUR - 10_000);
    expect(problems.slice(1)).toMatchObject([
      { severity: "warning", message: expect.stringMatching(/^the authority expires 2026-01-15T14:00:00Z/) },
    ]);
    expect(states.length).toBeGreaterThan(3);
    expect(last(states).certificate.notAfterMs).toBe(START + 2 * HOUR);
    expect(errors()).toEqual([]);
    await virtual.advance(10_000);
    const issued = states.length;
    await virtual.advance(HOUR);
    expect(states).toHaveLength(issued);
    expect(errors()).toMatchObject([
      { message: expect.stringMatching(/^the authority of heddle\.test is valid from .*; make another in its place/) },
    ]);
  });
});

describe("a change of the folder", () => {
  const other = Authority.create({ trustDomain: "heddle.test", nowMs: START, lifetimeMs: 24 * HOUR });

  test("to old and new root together, then to the new key, then to the new root alone, is taken up without a loss of trust", async () => {
    const dir = newFolder();
    const { virtual, states, clock } = watching({ dir });
    const original = last(states);
    const oldRoot = readFileSync(join(dir, "ca.crt"), "utf8");
    put(join(dir, "ca.crt"), oldRoot + other.bundlePem());
    await virtual.advance(3_000);
    const both = last(states);
    expect(both.bundles.byTrustDomain.get("heddle.test")?.roots).toHaveLength(2);
    expect(accepts(original, both, clock.wallTime())).toBe(true);
    put(join(dir, "ca.key"), other.keyPem());
    await virtual.advance(3_000);
    const switched = last(states);
    expect(accepts(both, switched, clock.wallTime())).toBe(true);
    expect(accepts(switched, both, clock.wallTime())).toBe(true);
    expect(accepts(original, switched, clock.wallTime())).toBe(false);
    put(join(dir, "ca.crt"), other.bundlePem());
    await virtual.advance(3_000);
    expect(accepts(last(states), switched, clock.wallTime())).toBe(true);
    expect(accepts(last(states), original, clock.wallTime())).toBe(false);
  });

  test("that is broken is said once, and the last good stays; that it is well again is told", async () => {
    const dir = newFolder();
    const { virtual, states, errors } = watching({ dir });
    const key = readFileSync(join(dir, "ca.key"), "utf8");
    put(join(dir, "ca.key"), other.keyPem());
    await virtual.advance(10_000);
    expect(states).toHaveLength(1);
    expect(errors()).toMatchObject([{ message: expect.stringContaining("no certificate belongs to the key") }]);
    put(join(dir, "ca.key"), key);
    await virtual.advance(3_000);
    expect(states).toHaveLength(2);
    expect(states[1]).toBe(states[0]);
    expect(errors()).toHaveLength(1);
  });

  test("that stays broken keeps nobody from renewing by the last good authority, and is said again after each renewal", async () => {
    const dir = newFolder();
    const { virtual, states, errors } = watching({ dir, lifetime: "1h" });
    rmSync(join(dir, "ca.crt"));
    await virtual.advance(0.51 * HOUR);
    expect(states).toHaveLength(2);
    expect(errors().map(({ message }) => message)).toEqual(Array(2).fill(expect.stringMatching(/ca\.crt is missing/)));
  });

  test("of its stamps alone changes nothing", async () => {
    const dir = newFolder();
    const { virtual, states } = watching({ dir });
    put(join(dir, "ca.key"), readFileSync(join(dir, "ca.key"), "utf8"));
    await virtual.advance(5_000);
    expect(states).toHaveLength(1);
  });

  test("half done when it is looked at is no mistake", async () => {
    const dir = newFolder();
    const { virtual, states, errors } = watching({ dir });
    put(join(dir, "ca.crt"), other.bundlePem());
    await virtual.advance(1_500);
    put(join(dir, "ca.key"), other.keyPem());
    await virtual.advance(3_000);
    expect(errors()).toEqual([]);
    expect(states).toHaveLength(2);
  });

  test("to another trust domain is refused", async () => {
    const dir = newFolder();
    const { virtual, states, errors } = watching({ dir });
    const foreign = Authority.create({ trustDomain: "evil.example", nowMs: START, lifetimeMs: HOUR });
    put(join(dir, "ca.crt"), foreign.bundlePem());
    put(join(dir, "ca.key"), foreign.keyPem());
    await virtual.advance(5_000);
    expect(states).toHaveLength(1);
    expect(errors()).toMatchObject([{ message: expect.stringContaining("is now of evil.example, expected heddle.test") }]);
  });

  test("that takes it away is said, and an authority that comes again is taken up", async () => {
    const dir = newFolder();
    const { virtual, states, errors } = watching({ dir });
    rmSync(dir, { recursive: true });
    await virtual.advance(5_000);
    expect(errors()).toMatchObject([{ message: expect.stringContaining("the authority is gone") }]);
    expect(existsSync(dir)).toBe(false);
    expect(createAuthorityFolder(authorityFolder(dir), other)).toEqual({ ok: true, value: true });
    await virtual.advance(3_000);
    expect(states).toHaveLength(2);
  });
});

certificateSourceContract({
  name: "identity.dev",
  test,
  open() {
    const dir = newFolder();
    const virtual = virtualClock();
    const clock: Clock = { ...virtual, wallTime: () => START + virtual.now() };
    const files = authorityFolder(dir);
    const write = (authority: Authority): void => {
      put(files.certificateFile, authority.bundlePem());
      put(files.keyFile, authority.keyPem());
    };
    const make = () => Authority.create({ trustDomain: "heddle.test", nowMs: clock.wallTime(), lifetimeMs: 100 * HOUR });
    let authority = make();
    createAuthorityFolder(files, authority);
    const source = devIdentity({ dir, lifetime: "1h" }, { nodeEnv: undefined });
    return {
      // Without the warning that it is not for production, which is no trouble.
      source: {
        name: source.name,
        watch: (listener, given) =>
          source.watch(
            { update: (state) => listener.update(state), problem: (each) => each.severity === "error" && listener.problem(each) },
            given,
          ),
      },
      clock,
      service: "web",
      async rotate() {
        write(authority);
        // Half of life, and time to look at the folder first.
        await virtual.advance(0.52 * HOUR);
        return null;
      },
      async replaceRoots() {
        authority = make();
        write(authority);
        return null;
      },
      breakIt: async () => put(files.keyFile, make().keyPem()),
      mend: async () => write(authority),
      pass: (ms) => virtual.advance(ms),
      close: async () => {},
    };
  },
});

test("closed, it says nothing more and leaves no timer", async () => {
  const dir = newFolder();
  const { virtual, states, problems, close } = watching({ dir });
  close();
  close();
  rmSync(dir, { recursive: true });
  await virtual.advance(10 * HOUR);
  expect({ states: states.length, problems: problems.length, timers: virtual.pendingTimers }).toEqual({
    states: 1,
    problems: 1,
    timers: 0,
  });
});
