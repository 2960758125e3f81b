import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "./run.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-cli-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const GOOD = `apiVersion: heddle/v1
services:
  reviews:
    endpoints: [{ address: "127.0.0.1:9081", labels: { version: v1 } }]
    subsets: { v1: { labels: { version: v1 } } }
    routes:
      - { name: old, match: { path: { prefix: /old } }, redirect: { prefix: /new } }
      - { name: beta, match: { headers: { x-user: { exact: jason } } }, to: [{ subset: v1 }], timeout: 2s }
`;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function heddle(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await run(argv, {
    out: {
      write: (text) => {
        out += text;
      },
    },
    err: {
      write: (text) => {
        err += text;
      },
    },
  });
  return { code, out, err };
}

test("validate ends with 0 for a good document, and with 1 and every mistake in its place for a bad one", async () => {
  const good = await heddle("validate", file("good.yaml", GOOD));
  expect(good).toMatchObject({ code: 0, err: "" });
  expect(good.out).toContain("valid (1 services, 2 backends)");
  const bad = await heddle("validate", file("bad.yaml", GOOD.replace("timeout: 2s", "timeot: 2s").replace("subset: v1", "subset: v9")));
  expect(bad.code).toBe(1);
  expect(bad.out).toMatch(/bad\.yaml:8:\d+: .*timeot.*did you mean "timeout"/);
  expect(bad.out).toMatch(/bad\.yaml:8:\d+: .*v9/);
});

test("validate --json prints one object a document", async () => {
  const { out } = await heddle("validate", "--json", file("a.yaml", GOOD), file("b.yaml", "apiVersion: heddle/v2\n"));
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { valid: boolean; problems: unknown[] });
  expect(lines.map(({ valid }) => valid)).toEqual([true, false]);
  expect(lines[1]?.problems).toHaveLength(1);
});

test("explain says route by route what happens and why, and what it cannot know", async () => {
  const path = file("explained.yaml", GOOD);
  const beta = await heddle("explain", path, "GET", "http://reviews/api", "-H", "x-user: jason");
  expect(beta.code).toBe(0);
  expect(beta.out).toContain('route old passed: not matched: path prefix "/old"');
  expect(beta.out).toContain("100% to reviews/v1");
  expect(beta.out).toContain("not known here");
  expect((await heddle("explain", path, "http://reviews/old/x")).out).toContain("answers 302 with location http://reviews/new/x");
  expect((await heddle("explain", path, "https://reviews/", "-H", "x-user: jason")).out).toContain("refused with tls_required");
  expect((await heddle("explain", path, "http://elsewhere/")).out).toContain("no service claims this host; egress is allow");
  expect((await heddle("explain", path, "http://reveiws/")).out).toMatch(/goes straight out; did you mean "reviews"\?$/m);
  expect(JSON.parse((await heddle("explain", "--json", path, "http://reviews/")).out)).toMatchObject({ decision: { kind: "no-route" } });
});

test("explain takes the method of a gRPC call", async () => {
  const routes = "[{ name: get, match: { grpc: { service: { exact: shop.Ratings }, method: { exact: Get } } } }, { name: rest }]";
  const path = file("calls.yaml", `apiVersion: heddle/v1\nservices: { ratings: { protocol: grpc, routes: ${routes} } }\n`);
  const get = await heddle("explain", path, "--grpc", "shop.Ratings/Get", "http://ratings");
  expect([get.code, get.err]).toEqual([0, ""]);
  expect(get.out).toContain("shop.Ratings/Get of http://ratings");
  expect(get.out).toContain("route get taken");
  expect((await heddle("explain", path, "--grpc", "shop.Ratings/List", "http://ratings")).out).toContain("route rest taken");
  expect((await heddle("explain", path, "http://ratings/shop.Ratings/Get")).out).toContain("refused with protocol_error");
  expect((await heddle("explain", path, "--grpc", "Get", "http://ratings")).err).toContain("is no method");
  expect((await heddle("explain", path, "--grpc", "shop.Ratings/Get", "GET", "http://ratings")).err).toContain("give no other");
});

test("explain sees headers by any name, all fields of one name, and methods in any case", async () => {
  const text = `apiVersion: heddle/v1
services:
  reviews:
    routes:
      - { name: odd, match: { headers: { __proto__: { exact: a }, constructor: { exact: "b,c" } }, methods: [PUT] } }
`;
  const path = file("odd.yaml", text);
  const asked = ["put", "http://reviews/", "-H", "__proto__: a", "-H", "constructor: b", "-H", "Constructor: c"];
  expect((await heddle("explain", path, ...asked)).out).toContain("route odd taken");
});

test("explain of a document with mistakes ends with 1 and prints them", async () => {
  const { code, err } = await heddle("explain", file("broken.yaml", "services: 1\n"), "http://reviews/");
  expect(code).toBe(1);
  expect(err).toContain("broken.yaml:1:");
});

test.each([
  [["validat"], /there is no command "validat"; did you mean validate\?/],
  [["validate"], /name at least one document/],
  [["validate", "--jsn", "x.yaml"], /there is no option --jsn; did you mean --json\?/],
  [["explain", "x.yaml", "http://reviews/", "--form=spiffe://a/b"], /there is no option --form; did you mean --from\?/],
  [["validate", "--frobnicate", "x.yaml"], /there is no option --frobnicate\n/],
  [["validate", "-q", "x.yaml"], /there is no option -q\n/],
  [["validate", "nowhere.yaml"], /nowhere\.yaml cannot be read/],
  [["explain", "x.yaml"], /give a document/],
  [["explain", "x.yaml", "not a url"], /is not an http:\/\/ or https:\/\/ URL/],
  [["explain", "x.yaml", "mailto:reviews"], /is not an http:\/\/ or https:\/\/ URL/],
  [["explain", "x.yaml", "http://user:secret@reviews/"], /credentials/],
  [["explain", "x.yaml", "http://reviews/", "-H", " : x"], /expected "name: value"/],
])("a wrong command line ends with 2 and says what is wrong (%j)", async (argv, expected) => {
  const { code, err } = await heddle(...argv);
  expect(code).toBe(2);
  expect(err).toMatch(expected);
  expect(err).toContain("usage:");
});

test("help and version end with 0", async () => {
  expect(await heddle()).toMatchObject({ code: 0, out: expect.stringContaining("heddle validate FILE") });
  expect((await heddle("--version")).out).toMatch(/^\d+\.\d+\.\d+\n$/);
});
