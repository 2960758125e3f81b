import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileSource, staticSource, systemClock } from "@heddle/core";
import { test } from "vitest";
import { type ControlSourceHarness, FIRST_SERVICE } from "./contract/source-harness.ts";
import { controlSourceContract } from "./contract-source.ts";
import { virtualClock } from "./virtual-clock.ts";

function document(services: readonly string[]) {
  return {
    apiVersion: "heddle/v1",
    services: Object.fromEntries(services.map((name) => [name, { endpoints: [{ address: "127.0.0.1:9081" }] }])),
  };
}

controlSourceContract({
  name: "the static source",
  test,
  vanishes: false,
  open(): ControlSourceHarness {
    const clock = virtualClock();
    const source = staticSource(document([FIRST_SERVICE]));
    return {
      source,
      clock,
      write: async (services) => source.update(document(services)),
      breakIt: async () => source.update({ apiVersion: "heddle/v1", servces: {} }),
      remove: () => Promise.reject(new Error("code does not vanish")),
      pass: (ms) => clock.advance(ms),
      close: async () => {},
    };
  },
});

// Real files and real time: what watches files is the operating system.
for (const { how, put } of [
  { how: "written in place", put: (path: string, text: string) => writeFileSync(path, text) },
  {
    how: "replaced by renaming",
    put(path: string, text: string) {
      writeFileSync(`${path}.new`, text);
      renameSync(`${path}.new`, path);
    },
  },
]) {
  controlSourceContract({
    name: `the file source, its file ${how}`,
    test: (name, run) => test.concurrent(name, run),
    open(): ControlSourceHarness {
      const folder = mkdtempSync(join(tmpdir(), "heddle-source-"));
      const path = join(folder, "mesh.json");
      put(path, JSON.stringify(document([FIRST_SERVICE])));
      return {
        source: fileSource(path),
        clock: systemClock,
        write: async (services) => put(path, JSON.stringify(document(services))),
        breakIt: async () => put(path, '{ "services": ['),
        remove: async () => rmSync(path),
        pass: (ms) => sleep(ms),
        close: async () => rmSync(folder, { recursive: true }),
      };
    },
  });
}
