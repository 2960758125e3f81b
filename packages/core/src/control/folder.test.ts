import { expect, test } from "vitest";
import { virtualClock } from "../../../testing/src/virtual-clock.ts";
import type { FileReading } from "../file-access.ts";
import { folderSource } from "./folder.ts";
import type { FolderAccess } from "./folder-access.ts";

const document = (name: string, timeout?: string) =>
  `apiVersion: heddle/v1\nservices: { ${name}: {${timeout === undefined ? "" : ` timeout: ${timeout} `}} }\n`;

/** A folder that exists in the test only; a path maps to its text. */
class FakeFolder implements FolderAccess {
  readonly files = new Map<string, string>();
  isMissing = false;
  watchers = 0;
  #version = 0;
  readonly #onFolder = new Set<() => void>();

  list(): readonly string[] | null {
    return this.isMissing ? null : Array.from(this.files.keys(), (path) => path.slice(path.lastIndexOf("/") + 1));
  }

  read(path: string): FileReading {
    const text = this.isMissing ? undefined : this.files.get(path);
    return text === undefined ? { kind: "missing" } : { kind: "text", text };
  }

  stamp(path: string): string {
    return `${this.#version} ${this.read(path).kind}`;
  }

  watch() {
    return this.#fileWatch(() => {});
  }

  watchFolder(_folder: string, onEvent: () => void) {
    this.#onFolder.add(onEvent);
    return this.#fileWatch(() => this.#onFolder.delete(onEvent));
  }

  write(path: string, text: string | undefined): void {
    this.#version++;
    if (text === undefined) this.files.delete(path);
    else this.files.set(path, text);
    for (const onEvent of [...this.#onFolder]) onEvent();
  }

  #fileWatch(close: () => void) {
    this.watchers++;
    let isOpen = true;
    return {
      isWatching: true,
      refresh() {},
      close: () => {
        if (isOpen) this.watchers--;
        isOpen = false;
        close();
      },
    };
  }
}

function follow(path: string, texts: Readonly<Record<string, string>>, isMissing = false) {
  const folder = new FakeFolder();
  folder.isMissing = isMissing;
  for (const [name, text] of Object.entries(texts)) folder.write(name, text);
  const clock = virtualClock();
  const said: string[] = [];
  const close = folderSource(path, folder).watch(
    {
      update: ({ inboundPolicies, virtualHosts }) => {
        const timeouts = virtualHosts.map(({ name, routes }) => `${name}=${routes[0]?.timeout?.totalMs ?? "none"}`);
        said.push(`${[...inboundPolicies.keys()].join(",")} ${timeouts.join(",")}`);
      },
      problem: ({ where, message }) => said.push(`${where} ${message}`),
    },
    clock,
  );
  return { folder, clock, said, close };
}

test("all documents of a folder are one configuration, later names winning; hidden and other files are left alone", () => {
  const { said } = follow("conf.d/", {
    "conf.d/20-late.yml": document("web", "2s"),
    "conf.d/10-early.yaml": document("web", "1s"),
    "conf.d/30.json": JSON.stringify({ apiVersion: "heddle/v1", services: { shop: {} } }),
    "conf.d/.hidden.yaml": "nonsense",
    "conf.d/notes.txt": "nonsense",
    "conf.d/20-late.yml~": "nonsense",
  });
  expect(said).toEqual(["web,shop web=2000,shop=none"]);
});

test("a pattern picks files by name", () => {
  const texts = { "conf/mesh-1.yaml": document("web"), "conf/mesh-12.yaml": document("shop"), "conf/other.yaml": document("bag") };
  expect(follow("conf/mesh-?.yaml", texts).said).toEqual(["web web=none"]);
  expect(follow("conf/mesh-*.yaml", texts).said).toEqual(["web,shop web=none,shop=none"]);
  expect(follow("conf/*", texts).said).toEqual(["web,shop,bag web=none,shop=none,bag=none"]);
});

test("files that come, change and go are followed", async () => {
  const { folder, said, clock } = follow("conf.d/", { "conf.d/a.yaml": document("web") });
  folder.write("conf.d/b.yaml", document("shop"));
  await clock.advance("2s");
  folder.write("conf.d/b.yaml", document("shop", "3s"));
  await clock.advance("2s");
  folder.write("conf.d/b.yaml", undefined);
  await clock.advance("2s");
  expect(said).toEqual(["web web=none", "web,shop web=none,shop=none", "web,shop web=none,shop=3000", "web web=none"]);
  expect(folder.watchers).toBe(2);
});

test("a broken file keeps its own last good version, and does not hold up the others", async () => {
  const { folder, said, clock } = follow("conf.d/", { "conf.d/a.yaml": document("web", "1s"), "conf.d/b.yaml": document("shop") });
  folder.write("conf.d/a.yaml", "apiVersion: 1");
  await clock.advance("2s");
  folder.write("conf.d/b.yaml", document("shop", "2s"));
  await clock.advance("2s");
  expect(said).toEqual([
    "web,shop web=1000,shop=none",
    expect.stringMatching(/^conf\.d\/a\.yaml:1:13 .*the last good configuration stays in force$/),
    "web,shop web=1000,shop=2000",
  ]);
});

test("nothing is told until each file was good once", async () => {
  const { folder, said, clock } = follow("conf.d/", { "conf.d/a.yaml": document("web"), "conf.d/b.yaml": "nonsense" });
  await clock.advance("2s");
  expect(said).toEqual([expect.stringContaining("conf.d/b.yaml")]);
  folder.write("conf.d/b.yaml", document("shop"));
  await clock.advance("2s");
  expect(said[1]).toBe("web,shop web=none,shop=none");
});

test("a folder that goes away is reported once and keeps its last good; one that is missing is waited for", async () => {
  const { folder, said, clock } = follow("conf.d/", { "conf.d/a.yaml": document("web") });
  folder.isMissing = true;
  await clock.advance("1m");
  expect(said).toEqual(["web web=none", "conf.d/ the folder does not exist or cannot be read; the last good configuration stays in force"]);
  folder.isMissing = false;
  folder.write("conf.d/a.yaml", document("web", "1s"));
  await clock.advance("2s");
  expect(said.at(-1)).toBe("web web=1000");

  const late = follow("conf.d/", { "conf.d/a.yaml": document("web") }, true);
  expect(late.said).toEqual([expect.stringContaining("the mesh waits for it")]);
  late.folder.isMissing = false;
  await late.clock.advance("2s");
  expect(late.said[1]).toBe("web web=none");
});

test("closing frees every watcher and timer", async () => {
  const { folder, clock, close } = follow("conf.d/", { "conf.d/a.yaml": document("web"), "conf.d/b.yaml": "nonsense" });
  folder.write("conf.d/a.yaml", "nonsense");
  await clock.advance("20ms");
  close();
  expect([folder.watchers, clock.pendingTimers]).toEqual([0, 0]);
});

test("a pattern in a folder's name, or for other files, is refused", () => {
  expect(() => folderSource("conf*/mesh.yaml")).toThrow("expected * and ? in its last step only");
  expect(() => folderSource("conf/*.toml")).toThrow("expected one that ends in .yaml, .yml, .json or *");
});
