import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readmeTable } from "./readme-table.ts";
import type { Row } from "./rows.ts";
import { putSection } from "./section.ts";
import { COMPARISONS } from "./suites.ts";

/** A row for everything that is measured, each with figures of its own. */
function rowsOfAWholeRun(): readonly Row[] {
  const measured = COMPARISONS.flatMap(({ suite, base, concurrency, variants }) =>
    variants.map(({ name }) => ({ suite, base, concurrency, variant: name })),
  );
  return measured.map((of, index) => ({
    ...of,
    value: index,
    unit: "us CPU per request",
    ratio: of.base === null ? null : 1 + index / 100,
    low: index,
    high: index,
    totalValue: index,
    totalRatio: of.base === null ? null : 10 + index / 100,
    totalLow: index,
    totalHigh: index,
    verdict: "compared",
    goal: null,
    limit: null,
    connections: 32,
    rounds: 20,
    requestsPerSecond: 1_000,
    p50Ms: index / 10,
    p50Ratio: of.base === null ? null : 20 + index / 100,
    p50Verdict: null,
    p99Ms: index,
  }));
}

test("the rows of a run give this table", () => {
  expect(readmeTable(rowsOfAWholeRun())).toMatchInlineSnapshot(`
    "| way | OpenTelemetry SDK, nothing sampled | no SDK |
    | --- | --- | --- |
    | \`mesh.request\` against undici \`Pool.request\` | 1.07 | 1.08 |
    | \`undici.request\` through \`mesh.dispatcher\` against an undici \`Agent\` | 1.12 | |
    | the same with cockatiel, opossum and OpenTelemetry by hand, tuned / as usually written | 1.14 / 1.15 | |
    | the same through Platformatic's thread interceptor: requests in turn, no policies | | 1.13 |
    | \`mesh.fetch\` against undici \`fetch\` | 1.17 | |
    | \`Pool.request\` through a pair of Envoy sidecars, plaintext: the client alone / with the sidecars | | 1.20 / 10.20 |
    | median latency: \`Pool.request\` / \`mesh.request\` / \`Pool.request\` through the sidecars | 1.80 / 1.90 / 2.00 ms | |
    | mutual TLS and authorization, CPU of client and servers: \`mesh.request\` to \`mesh.listen\` against a pair of Envoy sidecars | 10.26 | 10.27 |
    | the same, median latency | 20.26 | 20.27 |
    | \`mesh.grpc\`, unary calls, against \`@grpc/grpc-js\` with the same three channels in turn | 1.34 | 1.35 |
    | the same by grpc-js' own \`round_robin\` with retry and outlier detection | | 1.30 |
    | the same with \`round_robin\` and OpenTelemetry by hand, tuned / as usually written | 1.31 / 1.32 | |
    | the same by \`@grpc/grpc-js-xds\` | | 1.33 |
    | the same by mutual TLS, client alone / with sidecars and servers: \`mesh.grpc\` to \`mesh.listen\` | 1.39 / 10.39 | 1.40 / 10.40 |
    | \`@grpc/grpc-js-xds\`, to servers of \`@grpc/grpc-js\` | | 1.37 / 10.37 |
    | a pair of Envoy sidecars | | 1.38 / 10.38 |
    | the mesh alone, over a transport that answers at once | 1.0 us a request | 2.0 us |"
  `);
});

test("the same rows give the same table, whatever their order", () => {
  const rows = rowsOfAWholeRun();
  expect(readmeTable(rows.toReversed())).toBe(readmeTable(rows));
  expect(readmeTable(JSON.parse(JSON.stringify(rows)) as Row[])).toBe(readmeTable(rows));
});

test("a figure that was not measured is missed, not left blank", () => {
  const withoutEnvoys = rowsOfAWholeRun().filter(({ variant }) => !variant.includes("Envoys"));
  expect(() => readmeTable(withoutEnvoys)).toThrow(/README\.md needs the .* of sidecar: undici Pool\.request, two Envoys, plaintext/);
});

test.each(["README.md", "docs/performance.md"])("%s has the place for the figures", (page) => {
  expect(() => putSection(page, readFileSync(new URL(`../${page}`, import.meta.url), "utf8"), "bench", "")).not.toThrow();
});
