import { expect, test } from "vitest";
import { virtualClock } from "../../../testing/src/virtual-clock.ts";
import type { FileAccess, FileReading } from "../file-access.ts";
import { fileSource } from "./file.ts";

const document = (name: string) => `apiVersion: heddle/v1\nservices: { ${name}: {} }\n`;

/** A file that exists in the test only. */
class FakeFile implements FileAccess {
  reading: FileReading = { kind: "missing" };
  hasEvents = true;
  isClosed = false;
  reads = 0;
  #version = 0;
  #onEvent: () => void = () => {};

  read(): FileReading {
    this.reads++;
    return this.reading;
  }

  stamp(): string {
    return `${this.#version}`;
  }

  watch(_path: string, onEvent: () => void) {
    this.#onEvent = onEvent;
    const file = this;
    return {
      get isWatching() {
        return file.hasEvents;
      },
      refresh() {},
      close: () => {
        this.isClosed = true;
      },
    };
  }

  /** undefined: deleted. */
  write(text: string | undefined): void {
    this.reading = text === undefined ? { kind: "missing" } : { kind: "text", text };
    this.#version++;
    this.event();
  }

  event(): void {
    if (this.hasEvents) this.#onEvent();
  }
}

function follow(text: string | undefined) {
  const file = new FakeFile();
  const clock = virtualClock();
  const said: string[] = [];
  file.write(text);
  const close = fileSource("mesh.yaml", file).watch(
    {
      update: (snapshot) => said.push([...snapshot.backends.keys()].join(",")),
      problem: ({ where, message }) => said.push(`${where} ${message}`),
    },
    clock,
  );
  return { file, clock, said, close };
}

test("tells a good file at once, and a good edit within 300 ms", async () => {
  const { file, clock, said } = follow(document("web"));
  expect(said).toEqual(["web"]);
  file.write(document("shop"));
  await clock.advance("300ms");
  expect(said).toEqual(["web", "shop"]);
});

test("an edit is taken within 300 ms even if events never pause", async () => {
  const { file, clock, said } = follow(document("web"));
  file.write(document("shop"));
  for (let passed = 0; passed < 280; passed += 20) {
    file.event();
    await clock.advance("20ms");
  }
  expect(said).toEqual(["web", "shop"]);
});

test("an edit without an event is found by looking, sooner where nothing can be watched", async () => {
  const { file, clock, said } = follow(document("web"));
  file.hasEvents = false;
  file.write(document("shop"));
  await clock.advance("1100ms");
  expect(said).toEqual(["web", "shop"]);
  file.write(document("bag"));
  await clock.advance("300ms");
  expect(said).toEqual(["web", "shop", "bag"]);
});

test("reports a bad edit once, keeps the last good one in force, and reports the next bad one", async () => {
  const { file, clock, said } = follow(document("web"));
  file.write("apiVersion: 1");
  await clock.advance("1s");
  file.event();
  await clock.advance("5s");
  expect(said).toEqual([
    "web",
    expect.stringMatching(/^mesh\.yaml:1:13 apiVersion: found 1, .*; the last good configuration stays in force$/),
  ]);
  file.write("apiVersion: 2");
  await clock.advance("1s");
  expect(said).toHaveLength(3);
});

test("a good edit after a bad one is told, even if it is the content from before", async () => {
  const { file, clock, said } = follow(document("web"));
  file.write("nonsense");
  await clock.advance("1s");
  file.write(document("web"));
  await clock.advance("1s");
  expect(said).toEqual(["web", expect.stringContaining("nonsense"), "web"]);
});

test("half of an edit is not reported if the rest comes soon", async () => {
  const { file, clock, said } = follow(document("web"));
  file.write("");
  await clock.advance("60ms");
  file.write("apiVersion: heddle/v1\nservices: {");
  await clock.advance("60ms");
  file.write(document("shop"));
  await clock.advance("1s");
  expect(said).toEqual(["web", "shop"]);
});

test("a deletion is reported once and leaves the last good configuration; the file's return ends it", async () => {
  const { file, clock, said } = follow(document("web"));
  file.write(undefined);
  await clock.advance("1m");
  expect(said).toEqual(["web", "mesh.yaml the file does not exist; the last good configuration stays in force"]);
  file.write(document("web"));
  await clock.advance("1s");
  expect(said).toHaveLength(3);
  expect(said[2]).toBe("web");
});

test("a replacement that leaves the file missing for a moment is no deletion", async () => {
  const { file, clock, said } = follow(document("web"));
  file.write(undefined);
  await clock.advance("60ms");
  file.write(document("web"));
  await clock.advance("1s");
  expect(said).toEqual(["web"]);
});

test("a file that is missing at the start is reported at once and waited for", async () => {
  const { file, clock, said } = follow(undefined);
  expect(said).toEqual(["mesh.yaml the file does not exist; the mesh waits for a good one"]);
  file.write(document("web"));
  await clock.advance("300ms");
  expect(said[1]).toBe("web");
});

test("an event without a change is no update", async () => {
  const { file, clock, said } = follow(document("web"));
  file.event();
  await clock.advance("1s");
  file.write(document("web"));
  await clock.advance("1s");
  expect(said).toEqual(["web"]);
});

test("closing frees the watcher and every timer, also in the middle of an edit", async () => {
  for (const wait of ["0ms", "20ms", "60ms", "2s"]) {
    const { file, clock, said, close } = follow(document("web"));
    file.write("bad");
    await clock.advance(wait);
    close();
    close();
    expect(file.isClosed).toBe(true);
    expect(clock.pendingTimers, wait).toBe(0);
    const before = said.length;
    file.event();
    await clock.advance("10s");
    expect(said).toHaveLength(before);
  }
});

test("says what it cannot read", () => {
  const file = new FakeFile();
  file.reading = { kind: "unreadable", why: "it is not a file" };
  const said: string[] = [];
  fileSource("mesh.yaml", file).watch({ update: () => {}, problem: ({ message }) => said.push(message) }, virtualClock());
  expect(said).toEqual(["the file cannot be read: it is not a file; the mesh waits for a good one"]);
});
