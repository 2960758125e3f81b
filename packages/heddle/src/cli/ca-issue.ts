import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseDuration, parseSpiffeId, type SpiffeId, spiffeId, systemClock } from "@heddle/core";
import { type Authority, authorityFolder, DEV_DIR, newKeyPair, readAuthorityFolder, writePem } from "@heddle/spiffe";
import { isRefusedInProduction, warnOfAuthority } from "./ca-production.ts";
import { type Command, EXIT, UsageError } from "./command.ts";

const DEFAULT_LIFETIME = "24h";

export const caIssue: Command = {
  usage: "ca issue NAME [--dir DIR] [--out DIR] [--lifetime 24h] [--force] [--allow-in-production] [--json]",
  summary: "issue writes a certificate for a service, with its key, that this authority signs.",
  async run(args, output) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        dir: { type: "string" },
        out: { type: "string" },
        lifetime: { type: "string" },
        force: { type: "boolean" },
        json: { type: "boolean" },
        "allow-in-production": { type: "boolean" },
      },
    });
    const [name, ...more] = positionals;
    if (name === undefined || more.length > 0) throw new UsageError("name one service, or one SPIFFE ID");
    const lifetimeMs = parseDuration(values.lifetime ?? DEFAULT_LIFETIME);
    if (lifetimeMs === undefined || lifetimeMs < 1_000)
      throw new UsageError(`--lifetime ${JSON.stringify(values.lifetime)} must be a duration such as 30m or 8h, from 1s to 24h`);
    if (values.out === undefined && name.includes("/")) throw new UsageError("a SPIFFE ID needs --out DIR");
    if (isRefusedInProduction(output, values["allow-in-production"])) return EXIT.failed;
    const folder = authorityFolder(values.dir ?? DEV_DIR);
    const fail = (reason: string): number => {
      output.err.write(`error: ${reason}\n`);
      return EXIT.failed;
    };
    const found = readAuthorityFolder(folder);
    if (!found.ok) return fail(found.reason);
    const authority = found.value;
    if (authority === null) return fail(`there is no authority in ${folder.path}; make one with: heddle ca init`);
    const id = idOf(name, authority);
    const made = issue(authority, id, lifetimeMs);
    if (!made.ok) return fail(made.reason);
    const out = resolve(values.out ?? join(".heddle", name));
    const inTheWay = write(out, made.contents, values.force === true);
    if (inTheWay.length > 0) return fail(`${inTheWay.join(", ")} would be overwritten; nothing was written; --force overwrites`);
    warnOfAuthority(output, folder.path);
    const files = Object.keys(FILES).map((file) => join(out, file));
    const [certificateFile, keyFile, bundleFile] = files;
    const { notAfter } = made;
    output.out.write(
      values.json
        ? `${JSON.stringify({ id: id.text, notAfter, certificateFile, keyFile, bundleFile })}\n`
        : `${id.text}, until ${notAfter}\n${files.map((file) => `  ${file}\n`).join("")}`,
    );
    return EXIT.ok;
  },
};

function idOf(name: string, { trustDomain }: Authority): SpiffeId {
  const id = name.includes("/") ? parseSpiffeId(name) : spiffeId(trustDomain, name);
  if (!id.ok) throw new UsageError(id.reason);
  if (id.value.trustDomain !== trustDomain || id.value.path === "")
    throw new UsageError(`${id.value.text} is no workload of ${trustDomain}, which is the authority's trust domain`);
  return id.value;
}

/** What is written, and who may read it. */
const FILES = { "tls.crt": 0o644, "tls.key": 0o600, "ca.crt": 0o644 } as const;
type Contents = Readonly<Record<keyof typeof FILES, string>>;

type Made = { readonly ok: true; readonly contents: Contents; readonly notAfter: string } | { readonly ok: false; readonly reason: string };

function issue(authority: Authority, id: SpiffeId, lifetimeMs: number): Made {
  const { privateKey, publicKey } = newKeyPair();
  const issued = authority.issue(publicKey, { id, nowMs: systemClock.wallTime(), lifetimeMs });
  if (!issued.ok) return issued;
  const contents = {
    "tls.crt": issued.value.chain.map((der) => writePem("CERTIFICATE", der)).join(""),
    "tls.key": privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    "ca.crt": authority.bundlePem(),
  };
  return { ok: true, contents, notAfter: new Date(issued.value.notAfterMs).toISOString() };
}

/** Gives the files that are in the way; then it wrote nothing. */
function write(out: string, contents: Contents, isForced: boolean): readonly string[] {
  const files = Object.entries(contents).map(([name, text]) => ({ path: join(out, name), text, mode: FILES[name as keyof Contents] }));
  // The same roots again are in nobody's way: several services may share a folder of roots with the authority.
  const inTheWay = files.filter(({ path, text }) => existsSync(path) && readFileSync(path, "utf8") !== text);
  if (!isForced && inTheWay.length > 0) return inTheWay.map(({ path }) => path);
  const isNew = mkdirSync(out, { recursive: true }) !== undefined;
  // The key must not get into a repository by `git add .`.
  if (isNew) writeFileSync(join(out, ".gitignore"), "*\n");
  for (const { path, text, mode } of files) {
    // Who reads it meanwhile gets the file as it was or as it is now, and never its half.
    const draft = `${path}.${process.pid}.tmp`;
    try {
      writeFileSync(draft, text, { mode, flag: "wx" });
      renameSync(draft, path);
    } finally {
      rmSync(draft, { force: true });
    }
  }
  return [];
}
