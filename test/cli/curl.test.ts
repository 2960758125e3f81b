import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { freePorts } from "../../packages/heddle/src/demo/ports.ts";
import { documentFile, heddle } from "./heddle.ts";

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const echo: RequestListener = (request, response) => {
  if (request.url === "/missing") response.statusCode = 404;
  response.setHeader("x-got", `${request.method} ${request.headers["content-type"] ?? "none"} ${String(request.headers["x-user"])}`);
  request.pipe(response);
};

function documentOf(...addresses: readonly string[]): string {
  return documentFile(`apiVersion: heddle/v1
mesh: { egress: deny }
services:
  reviews:
    endpoints: [${addresses.map((address) => `{ address: "${address}" }`).join(", ")}]
    balancer: { policy: round-robin }
    retry: { maxRetries: 2, backoff: { base: 1ms } }
    timeout: 5s
`);
}

test("prints the body to stdout and what happened to stderr: every try, where and why", async () => {
  const down = `127.0.0.1:${(await freePorts(1))[0]}`;
  const up = await serve((_request, response) => response.end("hello"));
  const config = documentOf(down, up);
  // Two requests, as either endpoint may be the first.
  const runs = [await heddle("curl", "http://reviews/", "--config", config), await heddle("curl", "http://reviews/", "--config", config)];
  expect(runs.map(({ code, out }) => ({ code, out }))).toEqual([
    { code: 0, out: "hello" },
    { code: 0, out: "hello" },
  ]);
  for (const { err } of runs) {
    expect(err).toMatch(/^GET http:\/\/reviews\/: 200: service reviews, route default, backend reviews \(.*mesh\.yaml:\d+:\d+\)$/m);
    expect(err).toMatch(new RegExp(`^ {2}try \\d at ${up}: 200 after [\\d.]+ ms$`, "m"));
  }
});

test("sends method, headers and data, and shows the head with -i", async () => {
  const config = documentOf(await serve(echo));
  const { code, out } = await heddle(
    "curl",
    "PUT",
    "http://reviews/7",
    "-H",
    "x-user: jason",
    "-d",
    '{"stars":5}',
    "-i",
    "--config",
    config,
  );
  expect(code).toBe(0);
  expect(out).toMatch(/^HTTP 200\n/);
  expect(out).toContain("\nx-got: PUT application/json jason\n");
  expect(out).toMatch(/\n\n\{"stars":5\}$/);
});

test("data makes it a POST, its content-type can be said, and a file can hold it", async () => {
  const config = documentOf(await serve(echo));
  const data = documentFile("a,b", "data.csv");
  const args = ["-d", `@${data}`, "-H", "Content-Type: text/csv", "-i", "--config", config];
  const { out } = await heddle("curl", "http://reviews/", ...args);
  expect(out).toContain("\nx-got: POST text/csv undefined\n");
  expect(out).toMatch(/\n\na,b$/);
});

test("an answer of 400 or more is printed, and ends with 1", async () => {
  const config = documentOf(await serve(echo));
  const { code, out, err } = await heddle("curl", "-d", "not here", "http://reviews/missing", "--config", config);
  expect({ code, out }).toEqual({ code: 1, out: "not here" });
  expect(err).toContain("404");
});

test("a failure of the mesh ends with 1, its code, and every try that was made", async () => {
  const config = documentOf(`127.0.0.1:${(await freePorts(1))[0]}`);
  const { code, out, err } = await heddle("curl", "http://reviews/", "--config", config);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain("connect_failed");
  expect(err).toMatch(/^ {2}try 1 at 127\.0\.0\.1:\d+: connect-failure/m);
  const refused = await heddle("curl", "http://elsewhere/", "--config", config, "--json");
  expect(refused.code).toBe(1);
  expect(JSON.parse(refused.out)).toMatchObject({ error: { code: "unknown_service", status: 502 } });
});

test("a failure is told once: the request, then its code, then the service, then the tries", async () => {
  const garbage = createTcpServer((socket) => void socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9\r\n\r\n"));
  await once(garbage.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void garbage.close());
  const address = `127.0.0.1:${(garbage.address() as AddressInfo).port}`;
  const { code, err } = await heddle("curl", "http://reviews/x?y=1", "--config", documentOf(address));
  expect(code).toBe(1);
  const [first = "", second = ""] = err.split("\n");
  expect(first).toMatch(
    new RegExp(
      `^GET http://reviews/x\\?y=1: protocol_error: not understood: answer of ${address}: .+: service reviews, route default, backend`,
    ),
  );
  expect(first.match(/http:/g)).toHaveLength(1);
  expect(first.match(/service reviews/g)).toHaveLength(1);
  expect(second).toMatch(new RegExp(`^ {2}try 1 at ${address}: protocol-error`));
});

test("a host of no service that cannot be reached ends with 1 too", async () => {
  const config = documentFile("apiVersion: heddle/v1\nservices: {}\n");
  const { code, out } = await heddle("curl", `http://127.0.0.1:${(await freePorts(1))[0]}/`, "--config", config, "--json");
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ error: { code: "ECONNREFUSED", status: null } });
});

test("--json is one object: the answer and its report", async () => {
  const address = await serve(echo);
  const { out, err } = await heddle("curl", "-d", "1", "http://reviews/", "--json", "--config", documentOf(address));
  expect(JSON.parse(out)).toMatchObject({
    status: 200,
    headers: { "x-got": "POST application/json undefined" },
    body: "1",
    report: { service: "reviews", endpoint: address, attempts: [{ outcome: "200" }], policyFrom: expect.stringContaining("mesh.yaml:") },
  });
  expect(err).toBe("");
});

test("-m narrows the time the document gives", async () => {
  const config = documentOf(await serve(() => {}));
  const { code, err } = await heddle("curl", "-m", "50ms", "http://reviews/", "--config", config);
  expect(code).toBe(1);
  expect(err).toContain("deadline_exceeded");
});

test("a document with mistakes is not waited for: it ends with 1 and prints them", async () => {
  const { code, err } = await heddle("curl", "http://reviews/", "--config", documentFile("apiVersion: heddle/v1\nservces: {}\n"));
  expect(code).toBe(1);
  expect(err).toMatch(/mesh\.yaml:2:1: .*did you mean "services"/);
});

test.each([
  [["curl"], /give a URL/],
  [["curl", "reviews"], /not an http:\/\/ or https:\/\/ URL/],
  [["curl", "ftp://reviews/"], /not an http:\/\/ or https:\/\/ URL/],
  [["curl", "-H", "x-user", "http://reviews/"], /expected "name: value"/],
  [["curl", "-d", "@nowhere.json", "http://reviews/"], /nowhere\.json/],
  [["curl", "--config", "nowhere.yaml", "http://reviews/"], /nowhere\.yaml does not exist/],
])("a wrong command line ends with 2 and says what is wrong (%j)", async (argv, expected) => {
  const { code, err } = await heddle(...argv);
  expect(code).toBe(2);
  expect(err).toMatch(expected);
  expect(err).toContain("usage: heddle curl");
});

test("a wrong timeout is the command line's fault as well", async () => {
  const { code, err } = await heddle("curl", "-m", "soon", "http://reviews/", "--config", documentOf("127.0.0.1:9"));
  expect(code).toBe(2);
  expect(err).toContain('"soon"');
});
