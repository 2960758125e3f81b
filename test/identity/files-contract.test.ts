import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Clock, identityFiles, systemClock } from "@heddle/core";
import { type CertificateSourceHarness, certificateSourceContract, virtualClock } from "@heddle/testing";
import { test } from "vitest";
import { type CertificateFileAccess, nodeCertificateFiles } from "../../packages/core/src/identity/certificate-file-access.ts";
import { FakeFiles } from "../../packages/core/test/fake-files.ts";
import { type IssuedSet, setIssuer } from "../../packages/core/test/set-issuer.ts";
import { mountAsKubernetes, renameOver, type Texts, type WriteFiles, writeInPlace } from "./certificate-writers.ts";

interface Place {
  readonly folder: string;
  readonly files: CertificateFileAccess;
  readonly clock: Clock;
  write(texts: Texts): void;
  readonly pass: CertificateSourceHarness["pass"];
  readonly openHandles: () => number;
  close(): Promise<void>;
}

function apart({ certificate, root }: IssuedSet): Texts {
  return { "tls.crt": certificate.pem, "tls.key": certificate.keyPem, "ca.crt": root.pem };
}

function harness({ folder, files, clock, write, ...rest }: Place): CertificateSourceHarness {
  const issuer = setIssuer(clock.wallTime());
  const put = (): string => {
    write(apart(issuer.current));
    return issuer.current.fingerprint;
  };
  put();
  const at = (name: string) => join(folder, name);
  return {
    ...rest,
    clock,
    source: identityFiles({ cert: at("tls.crt"), key: at("tls.key"), bundle: at("ca.crt") }, files),
    async rotate() {
      issuer.rotate();
      return put();
    },
    async replaceRoots() {
      issuer.replaceRoot();
      return put();
    },
    breakIt: async () => write({ ...apart(issuer.current), "tls.key": setIssuer(clock.wallTime()).current.certificate.keyPem }),
    mend: async () => void put(),
  };
}

/** The real ones, and how many watches on them are open. */
function countedFiles(): { readonly files: CertificateFileAccess; readonly openHandles: () => number } {
  let open = 0;
  const files: CertificateFileAccess = {
    ...nodeCertificateFiles,
    watch(path, onEvent) {
      const watch = nodeCertificateFiles.watch(path, onEvent);
      let isOpen = true;
      open++;
      return {
        get isWatching() {
          return watch.isWatching;
        },
        refresh: () => watch.refresh(),
        close() {
          if (isOpen) open--;
          isOpen = false;
          watch.close();
        },
      };
    },
  };
  return { files, openHandles: () => open };
}

// Real files and real time: what tells of a change is the operating system.
const WRITERS: Readonly<Record<string, WriteFiles>> = {
  "as Kubernetes mounts them": mountAsKubernetes,
  "renamed over": renameOver,
  "written in place": writeInPlace,
};
for (const [how, write] of Object.entries(WRITERS)) {
  certificateSourceContract({
    name: `identity from files, ${how}`,
    test: (name, run) => test.concurrent(name, run, 60_000),
    open() {
      const folder = mkdtempSync(join(tmpdir(), "heddle-identity-"));
      return harness({
        ...countedFiles(),
        folder,
        clock: systemClock,
        write: (texts) => write(folder, texts),
        pass: (ms) => sleep(ms),
        close: async () => rmSync(folder, { recursive: true }),
      });
    },
  });
}

certificateSourceContract({
  name: "identity from files of a test",
  test,
  open() {
    const files = new FakeFiles();
    const clock = virtualClock();
    const write = (texts: Texts) => files.write(Object.fromEntries(Object.entries(texts).map(([name, text]) => [join("mem", name), text])));
    const pass = (ms: number) => clock.advance(ms);
    return harness({ folder: "mem", files, clock, write, pass, openHandles: () => files.watches, close: async () => {} });
  },
});

certificateSourceContract({
  name: "identity from one file that holds everything",
  test: (name, run) => test.concurrent(name, run, 60_000),
  open() {
    const folder = mkdtempSync(join(tmpdir(), "heddle-identity-"));
    const pem = join(folder, "all.pem");
    const counted = countedFiles();
    const joined = (texts: Texts) => Object.values(texts).join("");
    const whole = harness({
      ...counted,
      folder,
      clock: systemClock,
      write: (texts) => writeFileSync(pem, joined(texts), { mode: 0o600 }),
      pass: (ms) => sleep(ms),
      close: async () => rmSync(folder, { recursive: true }),
    });
    return { ...whole, source: identityFiles({ pem }, counted.files) };
  },
});
