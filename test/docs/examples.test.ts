import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadDocument } from "@heddle/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { surroundings } from "./loopback.ts";
import { type Block, blocksOf, withOutputs } from "./markdown.ts";
import { documentOf, firstDocument, pageModule, readPage } from "./page.ts";
import { runPage } from "./runner.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = fileURLToPath(new URL(".tmp/", import.meta.url));
const PAGES: readonly string[] = ["README.md", ...globSync(["docs/*.md", "packages/*/README.md"], { cwd: ROOT }).sort()];

/** What a page takes for granted, as code that runs before its examples. */
const BEFORE: Readonly<Record<string, string>> = {
  "docs/errors.md": `
import { joinMesh } from "heddle";
await using mesh = await joinMesh({ service: "web", config: "mesh.yaml" });
using _ = mesh.install();`,
};

/** `mesh.yaml` where a page shows none. */
const DOCUMENT = `apiVersion: heddle/v1
services:
  web: {}
  reviews: { endpoints: [{ address: "127.0.0.1:9081" }] }
`;

/** `UPDATE_DOCS=1 npx vitest run test/docs` writes the outputs into the pages. */
const isUpdating = process.env.UPDATE_DOCS === "1";

interface Example {
  readonly page: string;
  readonly block: Block;
}

const examples: readonly Example[] = PAGES.flatMap((page) => blocksOf(readPage(page)).map((block) => ({ page, block })));
const pagesWithCode: readonly string[] = PAGES.filter((page) =>
  examples.some((example) => example.page === page && example.block.language === "ts"),
);

const moduleOf = (page: string): string => `${FOLDER}${page.replace(".md", "").replaceAll("/", "-").toLowerCase()}.ts`;

function isOnNetwork(code: string): boolean {
  return code.includes('from "heddle"');
}

beforeAll(() => {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
});

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

test("a block says what it is", () => {
  const languages = new Set(["ts", "yaml", "json", "sh", "text"]);
  const unnamed = examples.filter(({ page, block }) => !languages.has(block.language) && !(page === "README.md" && block.language === ""));
  expect(unnamed.map(({ page, block }) => `${page}:${block.line}`)).toEqual([]);
});

test.each(examples.filter(({ block }) => block.language === "yaml").map(({ page, block }) => [`${page}:${block.line}`, block] as const))(
  "%s is a document without a mistake",
  (where, block) => {
    expect(loadDocument(documentOf(block), where).problems).toEqual([]);
  },
);

test.each(
  examples.filter(({ block }) => block.language === "json").map(({ page, block }) => [`${page}:${block.line}`, block.text] as const),
)("%s is JSON", (_where, text) => {
  expect(() => JSON.parse(text)).not.toThrow();
});

test.each(pagesWithCode)("the examples of %s do what it says", async (path) => {
  const markdown = readPage(path);
  const code = pageModule(markdown, BEFORE[path] ?? "");
  if (isOnNetwork(code)) {
    await using around = await surroundings(code, firstDocument(markdown) ?? DOCUMENT);
    writeFileSync(moduleOf(path), around.placed(code));
    await expectOutputs(path, markdown);
  } else {
    writeFileSync(moduleOf(path), code);
    await expectOutputs(path, markdown);
  }
});

async function expectOutputs(path: string, markdown: string): Promise<void> {
  const { page } = (await import(/* @vite-ignore */ moduleOf(path))) as { page: () => Promise<void> };
  const printed = await runPage(page);
  const blocks = blocksOf(markdown).filter(({ language, isOutput }) => language === "ts" || isOutput);
  const outputs = blocks.flatMap((block, at) => {
    if (!block.isOutput) return [];
    const example = blocks.slice(0, at).filter(({ language }) => language === "ts").length - 1;
    return [printed[example] ?? ""];
  });
  const renewed = withOutputs(markdown, outputs);
  if (isUpdating) writeFileSync(`${ROOT}${path}`, renewed);
  else expect(renewed).toBe(markdown);
}

test("the examples compile as a user's would", () => {
  for (const path of pagesWithCode) writeFileSync(moduleOf(path), pageModule(readPage(path), BEFORE[path] ?? ""));
  const options = { extends: "../../../tsconfig.test.json", compilerOptions: { noUnusedLocals: false }, include: ["*.ts"] };
  writeFileSync(`${FOLDER}tsconfig.json`, JSON.stringify(options));
  let mistakes = "";
  try {
    execFileSync(`${ROOT}node_modules/.bin/tsc`, ["-p", `${FOLDER}tsconfig.json`], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    mistakes = (error as { stdout?: string }).stdout ?? String(error);
  }
  expect(mistakes).toBe("");
});
