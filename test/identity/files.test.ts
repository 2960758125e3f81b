import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { type CertificateState, identityFiles, type Problem, seededRandom, systemClock } from "@heddle/core";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { nodeFiles } from "../../packages/core/src/file-access.ts";
import { readTogether } from "../../packages/core/src/identity/certificate-file-reading.ts";
import { type IssuedSet, setIssuer } from "../../packages/core/test/set-issuer.ts";
import type { WriterOrder } from "./certificate-writer-thread.ts";
import { mountAsKubernetes, openFolder, renameOver, type Texts, writeInPlace } from "./certificate-writers.ts";

// A real file system, real time and a writer in a thread of its own.

const SECONDS = 1_000;
const PATIENCE = { timeout: 30 * SECONDS, interval: 20 };
let folder = "";
const closers: (() => unknown)[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-identity-"));
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  rmSync(folder, { recursive: true, force: true });
});

const at = (name: string) => join(folder, name);
const PATHS = { cert: "tls.crt", key: "tls.key", bundle: "ca.crt" };

function textsOf({ certificate, root }: IssuedSet): Texts {
  return { "tls.crt": certificate.pem, "tls.key": certificate.keyPem, "ca.crt": root.pem };
}

/** Sets of one workload, every tenth by another root. */
function manySets(count: number): readonly IssuedSet[] {
  const issuer = setIssuer(Date.now());
  return Array.from({ length: count }, (_, index) => (index % 10 === 9 ? issuer.replaceRoot() : issuer.rotate()));
}

function follow() {
  const states: CertificateState[] = [];
  const problems: Problem[] = [];
  const source = identityFiles({ cert: at(PATHS.cert), key: at(PATHS.key), bundle: at(PATHS.bundle) });
  const close = source.watch(
    { update: (state) => states.push(state), problem: (problem) => problems.push(problem) },
    { clock: systemClock, random: seededRandom(1), service: null },
  );
  closers.push(close);
  const tells = ({ fingerprint }: IssuedSet) =>
    vi.waitFor(() => expect(states.at(-1)?.certificate.fingerprint, JSON.stringify(problems)).toBe(fingerprint), PATIENCE);
  return { states, problems, close, tells };
}

/** Starts the writer; what it gives resolves when it has written all. */
function write(order: Omit<WriterOrder, "folder">): Promise<void> {
  const worker = new Worker(new URL("certificate-writer-thread.ts", import.meta.url), { workerData: { folder, ...order } });
  // Before the folder goes.
  closers.push(() => worker.terminate());
  return new Promise((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
}

/** Which of the sets each state was: certificate and roots of the same one. */
function expectWhole(states: readonly CertificateState[], sets: readonly IssuedSet[]): void {
  for (const { certificate, bundles } of states) {
    const set = sets.find(({ fingerprint }) => fingerprint === certificate.fingerprint);
    expect(set, "a certificate that was never written").toBeDefined();
    const roots = [...(bundles.byTrustDomain.get("shop.example")?.roots ?? [])].map(({ der }) => Buffer.from(der).toString("hex"));
    expect(roots).toEqual([set?.root.der.toString("hex")]);
    expect(set && certificate.privateKey.equals(set.certificate.privateKey)).toBe(true);
  }
}

describe("a set that is replaced while it is read", () => {
  test("is read as one of those that were there, over hundreds of turns of a Kubernetes mount without a pause", async () => {
    const sets = manySets(30);
    const numbers = new Map(sets.map((set, index) => [set.certificate.pem, index]));
    const first = sets[0] as IssuedSet;
    mountAsKubernetes(folder, textsOf(first));
    const turns = Array.from({ length: 100 }, () => sets.map(textsOf)).flat();
    let isWriting = true;
    const written = write({ sets: turns, how: "kubernetes", pauseMs: 0 });
    const stop = () => {
      isWriting = false;
    };
    written.then(stop, stop);
    let whole = 0;
    const seen = new Set<number | undefined>();
    const paths = [at(PATHS.cert), at(PATHS.key), at(PATHS.bundle)];
    while (isWriting && (whole < 2_000 || seen.size <= 5)) {
      for (let round = 0; round < 20; round++) {
        const reading = readTogether(paths, nodeFiles);
        if (!reading.ok) continue;
        const [certificate, key, root] = paths.map((path) => {
          const file = reading.value.byPath.get(path);
          return file?.kind === "text" ? file.text : `${file?.kind}`;
        });
        const index = numbers.get(certificate ?? "");
        expect(index, "a whole certificate").toBeDefined();
        expect(key).toBe(sets[index ?? 0]?.certificate.keyPem);
        expect(root).toBe(sets[index ?? 0]?.root.pem);
        seen.add(index);
        whole++;
      }
      await new Promise(setImmediate);
    }
    expect(whole).toBeGreaterThan(100);
    expect(seen.size).toBeGreaterThan(5);
  }, 120_000);

  test("is told whole each time, over 100 turns of a Kubernetes mount, and ends at the last", async () => {
    const sets = manySets(101);
    const [first, ...rest] = sets as [IssuedSet, ...IssuedSet[]];
    mountAsKubernetes(folder, textsOf(first));
    const { states, problems, tells } = follow();
    await tells(first);
    await write({ sets: rest.map(textsOf), how: "kubernetes", pauseMs: 15 });
    await tells(rest.at(-1) as IssuedSet);
    expect(problems).toEqual([]);
    expect(states.length).toBeGreaterThan(1);
    expectWhole(states, sets);
  }, 120_000);

  test.each(["rename", "in halves"] as const)(
    "one file after the other (%s) is told when the last is there",
    async (how) => {
      const sets = manySets(12);
      const [first, ...rest] = sets as [IssuedSet, ...IssuedSet[]];
      writeInPlace(folder, textsOf(first));
      const { states, tells } = follow();
      await tells(first);
      await write({ sets: rest.map(textsOf), how, pauseMs: how === "rename" ? 100 : 40 });
      await tells(rest.at(-1) as IssuedSet);
      expectWhole(states, sets);
    },
    120_000,
  );
});

describe("following", () => {
  test("goes on after the whole folder was replaced", async () => {
    const [first, second, third] = manySets(3) as [IssuedSet, IssuedSet, IssuedSet];
    mkdirSync(at("live"));
    const inner = (name: string) => join(folder, "live", name);
    writeInPlace(at("live"), textsOf(first));
    const states: CertificateState[] = [];
    const problems: Problem[] = [];
    closers.push(
      identityFiles({ cert: inner(PATHS.cert), key: inner(PATHS.key), bundle: inner(PATHS.bundle) }).watch(
        { update: (state) => states.push(state), problem: (problem) => problems.push(problem) },
        { clock: systemClock, random: seededRandom(1), service: null },
      ),
    );
    const tells = ({ fingerprint }: IssuedSet) =>
      vi.waitFor(() => expect(states.at(-1)?.certificate.fingerprint).toBe(fingerprint), PATIENCE);
    renameSync(at("live"), at("gone"));
    mkdirSync(at("live"));
    writeInPlace(at("live"), textsOf(second));
    await tells(second);
    renameOver(at("live"), textsOf(third));
    await tells(third);
  });

  test("reports a file that is gone, keeps the certificate, and goes on when it is back", async () => {
    const [first, second] = manySets(2) as [IssuedSet, IssuedSet];
    writeInPlace(folder, textsOf(first));
    const { states, problems, tells } = follow();
    unlinkSync(at(PATHS.key));
    await vi.waitFor(() => expect(problems).toHaveLength(1), PATIENCE);
    expect(problems[0]).toMatchObject({ where: at(PATHS.key), message: expect.stringContaining("the file does not exist") });
    expect(states).toHaveLength(1);
    writeInPlace(folder, textsOf(second));
    await tells(second);
    expect(problems).toHaveLength(1);
  });

  test.skipIf(process.platform !== "linux")(
    "leaves descriptors and watches as they were, over 50 turns and 50 watches",
    async () => {
      const sets = manySets(50);
      mountAsKubernetes(folder, textsOf(sets[0] as IssuedSet));
      const warm = follow();
      await warm.tells(sets[0] as IssuedSet);
      const idle = openDescriptors();
      for (const set of sets) {
        mountAsKubernetes(folder, textsOf(set));
        const { tells, close } = follow();
        await tells(set);
        close();
      }
      await warm.tells(sets.at(-1) as IssuedSet);
      // A watch on a directory that is gone is ended by the next look.
      await vi.waitFor(() => expect(openDescriptors()).toEqual(idle), PATIENCE);
    },
    120_000,
  );
});

/** Descriptors of this process, and what its inotify instances watch. */
function openDescriptors(): { readonly descriptors: number; readonly watched: number } {
  const names = readdirSync("/proc/self/fd");
  const watched = names.map((name) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${name}`, "utf8").match(/^inotify wd:/gm)?.length ?? 0;
    } catch {
      return 0; // The descriptor that listed them.
    }
  });
  return { descriptors: names.length, watched: watched.reduce((sum, count) => sum + count, 0) };
}

describe.skipIf(process.platform === "win32")("a key that every user may read", () => {
  const [set] = manySets(1) as [IssuedSet];

  test("is warned of where it lies open", () => {
    openFolder(folder);
    writeInPlace(folder, textsOf(set));
    rmSync(at(PATHS.key));
    writeFileSync(at(PATHS.key), set.certificate.keyPem, { mode: 0o644 });
    const { states, problems } = follow();
    expect(states).toHaveLength(1);
    expect(problems).toEqual([{ where: at(PATHS.key), severity: "warning", message: expect.stringContaining("found mode 0644") }]);
  });

  test("is not warned of in a Kubernetes mount, behind a folder that is closed, or with its mode put right", () => {
    openFolder(folder);
    mountAsKubernetes(folder, textsOf(set));
    expect(follow()).toMatchObject({ problems: [], states: [{}] });
    mkdirSync(at("closed"), { mode: 0o700 });
    const files = { ...textsOf(set) };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, "closed", name), text, { mode: 0o644 });
    folder = at("closed");
    expect(follow()).toMatchObject({ problems: [], states: [{}] });
    folder = join(folder, "..");
    mkdirSync(at("right"), { mode: 0o755 });
    writeInPlace(at("right"), files);
    folder = at("right");
    expect(follow()).toMatchObject({ problems: [], states: [{}] });
    folder = join(folder, "..");
  });
});
