import fc from "fast-check";
import { expect, test } from "vitest";
import { fakeResolve } from "../../../testing/src/fake-resolve.ts";
import { virtualClock } from "../../../testing/src/virtual-clock.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { loadDocument } from "./document/load.ts";
import { Problems } from "./problems.ts";
import { SnapshotStore } from "./snapshot-store.ts";
import type { ControlSource, SourceSink } from "./source.ts";
import { staticSource } from "./static.ts";
import { WatchedSources } from "./watched-sources.ts";

const document = (services: object, rest: object = {}) => ({ apiVersion: "heddle/v1", ...rest, services });
const at = (...ports: readonly number[]) => ports.map((port) => ({ address: `127.0.0.1:${port}` }));

/** A source that says nothing until it is told to. */
function silentSource(name: string): ControlSource & { sink: SourceSink | undefined } {
  return {
    name,
    sink: undefined,
    watch(sink) {
      this.sink = sink;
      return () => {};
    },
  };
}

function snapshot(services: object, name: string): MeshSnapshot {
  const loaded = loadDocument(document(services), name);
  if (!loaded.snapshot) throw new Error("a good document was expected");
  return loaded.snapshot;
}

function watch(config: string | object) {
  const told: Problem[] = [];
  const store = new SnapshotStore();
  const clock = virtualClock();
  let applied = 0;
  const sources = new WatchedSources(config, {
    clock,
    random: () => 0.5,
    store,
    problems: new Problems((problem) => told.push(problem)),
    resolve: fakeResolve(),
    applied: () => applied++,
  });
  return {
    sources,
    store,
    clock,
    messages: () => told.map(({ where, message }) => `${where}: ${message}`),
    addresses: (service: string) => store.current.endpointSets.get(service)?.endpoints.map(({ address }) => address),
    /** Where a part comes from, by its path. */
    parts: () => Object.fromEntries(sources.parts().map(({ part, source }) => [part, source])),
    get applied() {
      return applied;
    },
  };
}

test("of each part of a service the last one given is in force, whole, and inspect says whose it is", () => {
  const base = staticSource(document({ web: { endpoints: at(1, 2), timeout: "1s" } }, { mesh: { egress: "deny" } }), "base");
  const local = staticSource(document({ web: { endpoints: at(3) }, extra: {} }), "local");
  const mesh = watch([base, local]);
  expect(mesh.addresses("web")).toEqual(["127.0.0.1:3"]);
  expect(mesh.store.current.virtualHosts[0]?.routes[0]?.timeout?.totalMs).toBe(1_000);
  expect(mesh.store.current.egress).toBe("deny");
  expect([...mesh.store.current.inboundPolicies.keys()]).toEqual(["web", "extra"]);
  expect(mesh.parts()).toEqual({ "mesh.egress": "base", "services.web.endpoints": "local", "services.web.timeout": "base" });
  expect(mesh.applied).toBe(1);
});

test("null removes what earlier sources gave, a part or a whole service, until the later source drops it again", () => {
  const base = document({ web: { endpoints: at(1), timeout: "1s" }, shop: { endpoints: at(2) } });
  const local = staticSource(document({ web: { timeout: null }, shop: null }), "local");
  const mesh = watch([base, local]);
  expect(mesh.store.current.virtualHosts[0]?.routes[0]?.timeout).toBeNull();
  expect(mesh.addresses("web")).toEqual(["127.0.0.1:1"]);
  expect(mesh.addresses("shop")).toBeUndefined();
  local.update(document({}));
  expect(mesh.store.current.virtualHosts[0]?.routes[0]?.timeout?.totalMs).toBe(1_000);
  expect(mesh.addresses("shop")).toEqual(["127.0.0.1:2"]);
});

test("null under a key that does not exist, and null in a document that is alone, are mistakes", () => {
  expect(watch([document({}), document({ web: { timout: null } })]).messages()).toEqual([
    expect.stringContaining('config[1] services.web.timout: services.web.timout: found the unknown key "timout"'),
  ]);
  expect(watch(document({ web: { timeout: null } })).messages()).toEqual([expect.stringContaining("services.web.timeout: found nothing")]);
});

test("a broken later source keeps its last good, and the others go on", () => {
  const base = staticSource(document({ web: { endpoints: at(1) } }), "base");
  const local = staticSource(document({ shop: { endpoints: at(2) } }), "local");
  const mesh = watch([base, local]);
  local.update(document({ shop: 7 }));
  expect(mesh.messages()).toEqual([expect.stringMatching(/^local services\.shop: .*the last good configuration stays in force$/)]);
  base.update(document({ web: { endpoints: at(3) } }));
  expect([mesh.addresses("web"), mesh.addresses("shop")]).toEqual([["127.0.0.1:3"], ["127.0.0.1:2"]]);
  expect(mesh.sources.all.map(({ state }) => state)).toEqual(["ok", "failing"]);
});

test("what contradicts another source is refused with the place of the part, while every other source can still change", () => {
  const base = staticSource(document({ web: { endpoints: at(1) } }), "base");
  const local = staticSource(document({}), "local");
  const mesh = watch([base, local]);
  local.update(document({ web: { routes: [{ to: [{ service: "shopp" }] }] } }));
  expect(mesh.messages()).toEqual([
    expect.stringMatching(/^local services\.web\.routes\[0\]\.to\[0\]\.service: .*no service is called "shopp"/),
  ]);
  base.update(document({ web: { endpoints: at(2) } }));
  expect(mesh.addresses("web")).toEqual(["127.0.0.1:2"]);
  expect(mesh.sources.all.map(({ state }) => state)).toEqual(["ok", "failing"]);
  base.update(document({ web: { endpoints: at(2) }, shopp: {} }));
  expect(mesh.store.current.virtualHosts[0]?.routes[0]?.action).toMatchObject({ to: [{ backend: "shopp" }] });
  expect(mesh.sources.all.map(({ state }) => state)).toEqual(["ok", "ok"]);
  expect(mesh.messages()).toHaveLength(1);
});

test("what one source refers to may stand in a later one, also at the start", () => {
  const mesh = watch([document({ web: { routes: [{ to: [{ service: "shop" }] }] } }), document({ shop: { endpoints: at(1) } })]);
  expect(mesh.messages()).toEqual([]);
  expect(mesh.sources.areReady).toBe(true);
});

test("nothing is in force until every source has spoken that is not optional; each is named with its reason", () => {
  const consul = silentSource("consul");
  const mesh = watch([document({ web: {} }), consul, { source: "missing.yaml", optional: true }, "gone.yaml"]);
  expect(mesh.store.revision).toBe(0);
  expect(mesh.sources.waiting).toEqual([
    "consul: it has not delivered a configuration yet",
    "gone.yaml: the file does not exist; the mesh waits for a good one",
  ]);
  mesh.sources.close();
  const other = watch([document({ web: {} }), consul, { source: "missing.yaml", optional: true }]);
  expect(other.sources.areReady).toBe(false);
  consul.sink?.update(snapshot({ shop: { endpoints: at(1) } }, "consul"));
  expect(other.sources.areReady).toBe(true);
  // That an optional file is not there is no problem.
  expect(other.messages()).toEqual([]);
  other.sources.close();
  expect(other.clock.pendingTimers).toBe(0);
});

test("a snapshot joins in by name; what a document only implies yields to it, and what it says stands by the order", () => {
  const consul = silentSource("consul");
  const early = watch([document({ web: { timeout: "1s" }, shop: { endpoints: at(1) } }), consul]);
  consul.sink?.update(snapshot({ web: { endpoints: at(7) }, shop: { endpoints: at(8) }, bag: { endpoints: at(9) } }, "consul"));
  // The snapshot comes later, and gives everything.
  expect([early.addresses("web"), early.addresses("shop"), early.addresses("bag")]).toEqual([
    ["127.0.0.1:7"],
    ["127.0.0.1:8"],
    ["127.0.0.1:9"],
  ]);
  const late = watch([consul, document({ web: { timeout: "1s" }, shop: { endpoints: at(1) } })]);
  consul.sink?.update(snapshot({ web: { endpoints: at(7) }, shop: { endpoints: at(8) } }, "consul"));
  // The document comes later, but says nothing about the endpoints of web.
  expect([late.addresses("web"), late.addresses("shop")]).toEqual([["127.0.0.1:7"], ["127.0.0.1:1"]]);
  expect(late.store.current.virtualHosts.find(({ name }) => name === "web")?.routes[0]?.timeout?.totalMs).toBe(1_000);
  expect(late.parts()).toMatchObject({ "services.web.timeout": "config[1]", "endpoint set web": "consul" });
  expect(late.parts()).not.toHaveProperty("endpoint set shop");
});

test("egress that no document decides is closed where one snapshot closes it", () => {
  const open = silentSource("open");
  const closed = silentSource("closed");
  const undecided = watch([document({}), closed, open]);
  const tell = () => {
    closed.sink?.update({ ...snapshot({}, "closed"), egress: "deny" });
    open.sink?.update(snapshot({}, "open"));
  };
  tell();
  expect(undecided.store.current.egress).toBe("deny");
  const decided = watch([document({}, { mesh: { egress: "allow" } }), closed, open]);
  tell();
  expect(decided.store.current.egress).toBe("allow");
});

test.each([
  [[], "config: found an empty array"],
  [[7], "config[0]: found 7, expected a path"],
  [[document({}), [document({})]], "config[1]: found an array"],
  [[{ source: null, optional: true }], "config[0]: found null"],
  [["mesh.toml"], "expected one that ends in .yaml"],
])("what is no source is refused at once: %j", (config, message) => {
  expect(() => watch(config)).toThrow(message);
});

type Written = Record<string, Record<string, unknown> | null>;

/** The rules of merging, as naively as they can be written. */
function model(documents: readonly (Written | undefined)[]): Record<string, Record<string, unknown>> {
  const merged: Record<string, Record<string, unknown>> = {};
  for (const written of documents) {
    for (const [service, parts] of Object.entries(written ?? {})) {
      if (parts === null) {
        delete merged[service];
        continue;
      }
      const own: Record<string, unknown> = merged[service] ?? {};
      merged[service] = own;
      for (const [key, value] of Object.entries(parts)) {
        if (value === null) delete own[key];
        else own[key] = value;
      }
    }
  }
  return merged;
}

const orNull = (arbitrary: fc.Arbitrary<unknown>) => fc.oneof({ weight: 3, arbitrary }, { weight: 1, arbitrary: fc.constant(null) });
const seconds = fc.integer({ min: 1, max: 9 }).map((count) => `${count}s`);

const parts = (service: string) =>
  fc.record(
    {
      timeout: orNull(seconds),
      connectTimeout: orNull(seconds),
      hosts: orNull(fc.integer({ min: 1, max: 9 }).map((count) => [`${service}-${count}`])),
    },
    { requiredKeys: [] },
  );
const written: fc.Arbitrary<Written> = fc.record(
  { a: orNull(parts("a")), b: orNull(parts("b")) },
  { requiredKeys: [] },
) as fc.Arbitrary<Written>;
const step = fc.record({ source: fc.integer({ min: 0, max: 2 }), written: fc.option(written, { freq: 4 }) });

test("after any sequence of edits, removals and breakages of three sources the whole is what the rules say", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const sources = [0, 1, 2].map((index) => staticSource(document({}), `source-${index}`));
      const mesh = watch(sources);
      const good: Written[] = [{}, {}, {}];
      for (const { source, written: next } of steps) {
        if (next !== null) good[source] = next;
        sources[source]?.update(next === null ? document({ a: "broken" }) : document(next));
        expect(depict(mesh.store.current)).toEqual(depict(loadDocument(document(model(good)), "merged").snapshot));
      }
      mesh.sources.close();
    }),
  );
});

function depict(held: MeshSnapshot | null) {
  return {
    hosts: held?.virtualHosts.map(({ name, authorities, routes }) => ({ name, authorities, timeout: routes[0]?.timeout })).sort(byName),
    backends: Array.from(held?.backends.values() ?? [], ({ name, connectTimeoutMs }) => ({ name, connectTimeoutMs })).sort(byName),
    services: [...(held?.inboundPolicies.keys() ?? [])].sort(),
  };
}

function byName(one: { readonly name: string }, other: { readonly name: string }): number {
  return one.name < other.name ? -1 : 1;
}
