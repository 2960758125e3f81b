import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { readmeTable } from "./readme-table.ts";
import type { Row } from "./rows.ts";
import { putSection } from "./section.ts";
import { markdownTable } from "./table.ts";

/** The rows of a run, and what they were measured with. */
export interface Report {
  readonly rows: readonly Row[];
  /** null where no Envoy was asked for. */
  readonly envoyVersion: string | null;
}

/** The figures of a run as the page has them: what they were measured with, then the table. */
export function markdownReport({ rows, envoyVersion }: Report): string {
  const packageVersion = (name: string): string => (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
  const versions = [
    `Node ${process.versions.node}`,
    `undici ${packageVersion("undici")}`,
    `undici-thread-interceptor ${packageVersion("undici-thread-interceptor")}`,
    `grpc-js ${packageVersion("@grpc/grpc-js")}`,
    `grpc-js-xds ${packageVersion("@grpc/grpc-js-xds")}`,
    ...(envoyVersion === null ? [] : [`Envoy ${envoyVersion}`]),
  ];
  return `${versions.join(", ")}, ${availableParallelism()} cores.\n\n${markdownTable(rows)}`;
}

/** Puts the figures of a run between the markers of docs/performance.md and README.md. Throws, and writes neither, if one has none. */
export function writeDocs(report: Report): void {
  const pages = [
    { page: "docs/performance.md", text: markdownReport(report) },
    { page: "README.md", text: readmeTable(report.rows) },
  ].map(({ page, text }) => {
    const file = new URL(`../${page}`, import.meta.url);
    return { file, content: putSection(page, readFileSync(file, "utf8"), "bench", text) };
  });
  for (const { file, content } of pages) writeFileSync(file, content);
}
