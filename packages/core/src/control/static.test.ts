import { expect, test } from "vitest";
import { systemClock } from "../clock.ts";
import { loadDocument } from "./document/load.ts";
import { documentSource, isControlSource } from "./document-source.ts";
import type { ControlSource } from "./source.ts";
import { staticSource } from "./static.ts";

const web = { apiVersion: "heddle/v1", services: { web: {} } } as const;
const shop = { apiVersion: "heddle/v1", services: { shop: {} } } as const;
const broken = { apiVersion: "heddle/v1", services: { web: 1 } };

/** What a source said, in order: the services of an update, or the message of a problem. */
function watch(source: ControlSource) {
  const said: string[] = [];
  const stop = source.watch(
    {
      update: (snapshot) => said.push([...snapshot.backends.keys()].join(",")),
      problem: ({ where, message, severity }) => said.push(`${severity} ${where}: ${message}`),
    },
    systemClock,
  );
  return { said, stop };
}

test("tells the document at once, and every one that replaces it", () => {
  const source = staticSource(web);
  const { said } = watch(source);
  source.update(shop);
  expect(said).toEqual(["web", "shop"]);
});

test("reports a bad document, says what is in force, and goes on with the next good one", () => {
  const source = staticSource(web);
  const { said } = watch(source);
  source.update(broken);
  source.update(shop);
  expect(said).toEqual([
    "web",
    expect.stringMatching(/^error services\.web: found 1, .*; the last good configuration stays in force$/),
    "shop",
  ]);
});

test("who starts to watch after a bad update hears the last good document first", () => {
  const source = staticSource(web);
  source.update(broken);
  expect(watch(source).said).toEqual(["web", expect.stringContaining("error services.web")]);
  expect(watch(staticSource(broken)).said).toEqual([expect.stringMatching(/; the mesh waits for a good one$/)]);
});

test("tells warnings after the update that they belong to", () => {
  const services = { web: { subsets: { v1: { labels: { v: "1" } } } } };
  expect(watch(staticSource({ apiVersion: "heddle/v1", services })).said).toEqual([
    "web,web/v1",
    expect.stringContaining("warning services.web.subsets.v1"),
  ]);
});

test("takes a snapshot as it is", () => {
  const { snapshot } = loadDocument(web, "mine");
  if (!snapshot) throw new Error("the document is good");
  const given: unknown[] = [];
  staticSource(snapshot).watch({ update: (told) => given.push(told), problem: (problem) => given.push(problem) }, systemClock);
  expect(given).toEqual([snapshot]);
  expect(given[0]).toBe(snapshot);
});

test("says nothing after the watch was stopped, and tells every watcher", () => {
  const source = staticSource(web);
  const first = watch(source);
  const second = watch(source);
  first.stop();
  first.stop();
  source.update(shop);
  expect(first.said).toEqual(["web"]);
  expect(second.said).toEqual(["web", "shop"]);
});

test("a later change of the object changes nothing that was told", () => {
  const hosts = ["web"];
  const source = staticSource({ apiVersion: "heddle/v1", services: { web: { hosts } } });
  hosts.push("other");
  const authorities: (readonly string[])[] = [];
  source.watch({ update: (snapshot) => authorities.push(snapshot.virtualHosts[0]?.authorities ?? []), problem: () => {} }, systemClock);
  expect(authorities).toEqual([["web"]]);
});

test("a config is a path, a document or a source", () => {
  const source = staticSource(web, "mine");
  expect(isControlSource(source)).toBe(true);
  expect(isControlSource(web)).toBe(false);
  expect(documentSource(source)).toBe(source);
  expect(documentSource(web).name).toBe("static");
  expect(documentSource("some/mesh.yaml").name).toBe("some/mesh.yaml");
  expect(() => documentSource("mesh.toml")).toThrow(/expected one that ends in .yaml, .yml, .json/);
  expect(() => documentSource([source])).toThrow("config: found an array, expected a path, a document or a control source");
});

test("an object that refers to itself, or repeats a part of itself many times over, is refused at once", () => {
  const knot: Record<string, unknown> = {};
  knot.one = knot;
  knot.other = knot;
  let doubled: object = {};
  for (let times = 0; times < 60; times++) doubled = { one: doubled, other: doubled };
  for (const settings of [knot, doubled]) {
    const document = { apiVersion: "heddle/v1", services: { reviews: { layers: [{ use: "own", with: settings }] } } };
    const problems: string[] = [];
    staticSource(document).watch({ update: () => problems.push("taken"), problem: ({ message }) => problems.push(message) }, systemClock);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toContain("expected a value that JSON can say");
  }
});
