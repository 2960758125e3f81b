import { createMesh } from "@heddle/core";
import { meshPlugin } from "@heddle/fastify-adapter";
import { httpTransport } from "@heddle/http";
import fc from "fast-check";
import fastify from "fastify";
import { describe, expect, onTestFinished, test } from "vitest";
import { answerToTarget, guarded, statusOf } from "./guarded.ts";
import { ROUTED_APPLICATIONS, type RoutedApplication } from "./routed-applications.ts";

// A rule that denies a path must hold for every spelling by which the application would serve it.

const SEED = 20264;
const closed = { name: "closed", action: "deny", to: [{ paths: ["/admin", "/admin/*"] }] };
const everybody = { name: "everybody", rules: [{}] };

async function portOf(application: RoutedApplication, pathNormalisation?: string): Promise<number> {
  const inbound = { authorize: [closed, everybody], ...(pathNormalisation !== undefined && { pathNormalisation }) };
  const { listener } = await guarded(inbound, ROUTED_APPLICATIONS[application]());
  return listener.port;
}

/** What became of a target. */
async function fate(port: number, target: string, method?: string): Promise<string> {
  const answer = await answerToTarget(port, target, method);
  const served = /served (admin|other)/.exec(answer);
  return served?.[1] ?? String(statusOf(answer));
}

const begins = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("/", "/x/", "//", "/admin", "/x/../admin", "http://h/", "http://h?") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "http://h",
      "http://h#",
      "https://h/",
      "HTTP://h/",
      "http://u@h/",
      "http://h\\",
      "\\",
      "*",
      "",
      "ftp://h/",
      "///h/",
    ),
  },
);
const pieces = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      ...["admin", "%61dmin", "adm%69n", "%2561dmin", "/", "//", "/admin", "/../", "..", "/.", "%2e%2e", "%2E", "/%2e%2e/", "\\", "\\..\\"],
      ...[
        "%5c",
        "%5C..%5Cadmin",
        "%2f",
        "%2F..%2Fadmin",
        "%252f",
        "?",
        "?/admin",
        ";",
        ";x=1",
        "..;/",
        "x",
        "/x",
        ":",
        "@",
        "%ef%bc%8f",
        "%c0%af",
      ],
    ),
  },
  { weight: 1, arbitrary: fc.constantFrom("%00", "%", "%4", "#", "#/../admin", "\u00e9", "\u00ef\u00bc\u008f", "\t", "\u0000") },
);
const targets = fc.tuple(begins, fc.array(pieces, { maxLength: 5 })).map(([begin, rest]) => begin + rest.join(""));

const KEEPING: readonly RoutedApplication[] = ["node:http", "node:http, by hand", "Express 5", "Fastify 5"];

test.each(KEEPING)("%s serves /admin by no spelling that a rule about it does not hold for", { timeout: 60_000 }, async (application) => {
  const port = await portOf(application);
  const fates: Record<string, number> = {};
  const property = fc.asyncProperty(targets, fc.constantFrom("GET", "GET", "POST", "OPTIONS"), async (target, method) => {
    const seen = await fate(port, target, method);
    fates[seen] = (fates[seen] ?? 0) + 1;
    expect(seen).not.toBe("admin");
  });
  await fc.assert(property, { seed: SEED, numRuns: 400 });
  // Without both kinds nothing was tried.
  expect(fates.other).toBeGreaterThan(20);
  expect(fates[403]).toBeGreaterThan(20);
});

test("a file server that decodes and resolves what it gets is held to the rule where escaped slashes are decoded before it", async () => {
  const port = await portOf("node:http, files", "decode-and-merge-slashes");
  await fc.assert(
    fc.asyncProperty(targets, async (target) => void expect(await fate(port, target)).not.toBe("admin")),
    { seed: SEED, numRuns: 400 },
  );
});

test("what Express routes by is what was decided about", async () => {
  const { listener } = await guarded({ authorize: [everybody] }, ROUTED_APPLICATIONS["Express 5"]());
  for (const [target, path] of [
    ["/x/../open", "/open"],
    ["//open//a", "/open/a"],
    ["/%6fpen?a=/../b", "/open"],
    ["/x\\..\\open", "/open"],
    ["http://other/x/../open?q", "/open"],
    ["http://other?/open", "/"],
  ] as const) {
    expect(await answerToTarget(listener.port, target)).toMatch(new RegExp(`served other ${path}$`));
  }
});

test.each(["http://h?/admin", "http://h??/../admin", "HTTP://h?/admin"])("the path of %s is / to every framework", async (target) => {
  for (const application of KEEPING) expect([application, await fate(await portOf(application), target)]).toEqual([application, "other"]);
});

test("Fastify, which chose its route before the plugin is asked, does not serve what it found behind the authority", async () => {
  const mesh = createMesh({
    service: "reviews",
    config: { apiVersion: "heddle/v1", services: { reviews: { inbound: { authorize: [closed, everybody] } } } },
    transport: httpTransport(),
  });
  onTestFinished(() => mesh.close());
  await mesh.ready();
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(meshPlugin(mesh));
  app.get("/admin", () => "served admin");
  app.get("/", () => "served other");
  const port = Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port);
  expect(await fate(port, "http://h/")).toBe("other");
  expect(await fate(port, "http://h/admin")).toBe("403");
  expect(await fate(port, "http://h?/admin")).toBe("400");
});

describe("Express is case-insensitive and takes a slash at the end, which no setting changes", () => {
  test("a rule that names one spelling does not hold for what it serves besides", async () => {
    const one = { name: "one", action: "deny", to: [{ paths: ["/admin"] }] };
    const { listener } = await guarded({ authorize: [one, everybody] }, ROUTED_APPLICATIONS["Express 5, with its own defaults"]());
    expect(await fate(listener.port, "/admin")).toBe("403");
    expect(await fate(listener.port, "/ADMIN")).toBe("admin");
    expect(await fate(listener.port, "/admin/")).toBe("admin");
  });

  test("with case-sensitive routing, and a rule for what is below, nothing is served besides", async () => {
    const port = await portOf("Express 5");
    expect(await fate(port, "/admin/")).toBe("403");
    expect(await fate(port, "/ADMIN")).toBe("other");
  });

  test("rules that allow are safe by themselves: another spelling is what nobody allowed", async () => {
    const open = { name: "open", to: [{ paths: ["/open", "/open/*"] }] };
    const { listener } = await guarded({ authorize: [open] }, ROUTED_APPLICATIONS["Express 5, with its own defaults"]());
    expect(await fate(listener.port, "/open")).toBe("other");
    for (const target of ["/ADMIN", "/admin/", "/OPEN", "/open/../ADMIN"]) expect(await fate(listener.port, target)).toBe("403");
  });
});

/** Under `base`, `merge-slashes` and `decode-and-merge-slashes`. */
const TRICKS: readonly (readonly [target: string, ...fates: readonly [string, string, string]])[] = [
  ["/admin", "403", "403", "403"],
  ["/admin?", "403", "403", "403"],
  ["/admin/.", "403", "403", "403"],
  ["/admin//x", "403", "403", "403"],
  ["/x/../admin", "403", "403", "403"],
  ["/x/%2e%2e/admin", "403", "403", "403"],
  ["/x\\..\\admin", "403", "403", "403"],
  ["/%61dmin", "403", "403", "403"],
  ["/x;/../admin", "403", "403", "403"],
  ["/admin/..;/x", "403", "403", "403"],
  ["http://h/admin", "403", "403", "403"],
  ["//admin", "other", "403", "403"],
  ["/x//../admin", "other", "other", "other"],
  ["/x%2F..%2Fadmin", "other", "other", "403"],
  ["/x%5c..%5cadmin", "other", "other", "403"],
  ["/admin%2Fx", "other", "other", "403"],
  ["/%2561dmin", "other", "other", "other"],
  ["/x/%252e%252e/admin", "other", "other", "other"],
  ["/%ef%bc%8fadmin", "other", "other", "other"],
  ["/admin;x", "other", "other", "other"],
  ["\\admin", "400", "400", "400"],
  ["/admin%00", "400", "400", "400"],
  ["/admin%", "400", "400", "400"],
  ["/admin\u0000", "400", "400", "400"],
  ["/\u00ef\u00bc\u008fadmin", "400", "400", "400"],
  ["/admin#", "400", "400", "400"],
  ["/x#/../admin", "400", "400", "400"],
];

describe.each(["node:http", "Express 5", "Fastify 5"] as const)("each known trick on %s", (application) => {
  test.each(["base", "merge-slashes", "decode-and-merge-slashes"])("under %s", async (setting) => {
    const index = ["base", "merge-slashes", "decode-and-merge-slashes"].indexOf(setting);
    const port = await portOf(application, setting);
    for (const [target, ...fates] of TRICKS) expect([target, await fate(port, target)]).toEqual([target, fates[index]]);
  });
});

test("without normalisation an application that resolves paths itself serves what a rule did not see, but by no fragment and no foreign form", async () => {
  const port = await portOf("node:http", "none");
  expect(await fate(port, "/x/../admin")).toBe("admin");
  for (const target of ["/admin#", "/x#/../admin", "ftp://h/admin", "\\admin"]) expect(await fate(port, target)).toBe("400");
  expect(await fate(port, "http://h/admin")).toBe("403");
});
