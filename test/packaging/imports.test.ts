import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { root } from "./installation.ts";

interface Seen {
  /** Environment variables that were read. */
  readonly variables: readonly string[];
  /** What was opened, looked up or started. */
  readonly reached: readonly string[];
  /** What keeps or could keep the process busy afterwards. */
  readonly left: readonly string[];
}

/** How undici parses HTTP; SECURITY.md names them. */
const OF_UNDICI: ReadonlySet<string> = new Set(["UNDICI_NO_WASM_SIMD", "UNDICI_USE_MILO"]);

/** What `import "<specifier>"` does in a process of its own, packages of others included. */
function seenBy(specifier: string): Seen {
  const script = `
    import childProcess from "node:child_process";
    import dgram from "node:dgram";
    import dns from "node:dns";
    import net from "node:net";
    import workers from "node:worker_threads";
    import { syncBuiltinESMExports } from "node:module";
    const variables = new Set();
    const reached = [];
    // Node's own modules read some too, whatever they are loaded for.
    const note = (name) => {
      if (typeof name === "string" && !/[ (]node:/.test(new Error().stack.split("\\n")[3] ?? "")) variables.add(name);
    };
    process.env = new Proxy(process.env, {
      get: (env, name) => { note(name); return env[name]; },
      has: (env, name) => { note(name); return name in env; },
      ownKeys: (env) => { note("all of them"); return Reflect.ownKeys(env); },
    });
    const watch = (owner, name) => {
      const original = owner[name];
      owner[name] = function (...args) { reached.push(name); return Reflect.apply(original, this, args); };
    };
    watch(net.Socket.prototype, "connect");
    watch(net.Server.prototype, "listen");
    for (const name of ["lookup", "resolve"]) { watch(dns, name); watch(dns.promises, name); }
    for (const name of ["spawn", "spawnSync", "fork", "exec", "execFile", "execFileSync", "execSync"]) watch(childProcess, name);
    watch(dgram, "createSocket");
    const { Worker } = workers;
    workers.Worker = class extends Worker { constructor(...args) { reached.push("Worker"); super(...args); } };
    syncBuiltinESMExports();
    // They exist from their first use on, and are not the import's.
    void process.stdout, process.stderr, process.stdin;
    const before = process.getActiveResourcesInfo();
    await import(${JSON.stringify(specifier)});
    const left = process.getActiveResourcesInfo().filter((name) => !before.includes(name));
    process.stdout.write(JSON.stringify({ variables: [...variables], reached, left }), () => process.exit());
  `;
  const env = { PATH: process.env.PATH ?? "" };
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: root,
    encoding: "utf8",
    env,
    timeout: 20_000,
  });
  return JSON.parse(output) as Seen;
}

test.each(["heddle", "@heddle/core", "@heddle/http", "@heddle/express-adapter", "@heddle/fastify-adapter", "@heddle/testing"])(
  'import "%s" opens nothing, reads no variable of the environment but two of undici, and leaves nothing running',
  (specifier) => {
    const { variables, ...rest } = seenBy(specifier);
    expect(variables.filter((name) => !OF_UNDICI.has(name))).toEqual([]);
    expect(rest).toEqual({ reached: [], left: [] });
  },
);

test("the watching sees what an import does, so that its silence means something", () => {
  const module = `data:text/javascript,${encodeURIComponent(
    `import net from "node:net"; import { spawn } from "node:child_process"; process.env.HEDDLE_X; setTimeout(() => {}, 1);
     net.connect(9, "127.0.0.1").on("error", () => {}); spawn(process.execPath, ["--version"]);`,
  )}`;
  const { variables, reached, left } = seenBy(module);
  expect(variables).toContain("HEDDLE_X");
  expect(reached).toEqual(expect.arrayContaining(["connect", "spawn"]));
  expect(left).toContain("Timeout");
});
