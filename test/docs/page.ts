import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { type Block, blocksOf } from "./markdown.ts";

const { parse } = createRequire(import.meta.url)("yaml") as { parse(text: string): unknown };

/** Leads a YAML block that is part of a document: `# under services.reviews`. */
const FRAGMENT = /^# under ([\w.-]+)\n/;
const IMPORT = /^import [\s\S]*?;$/gm;

/** The document that a YAML block is, or is part of. */
export function documentOf({ text }: Pick<Block, "text">): string {
  const path = FRAGMENT.exec(text)?.[1];
  if (path === undefined) return text;
  const keys = path.split(".");
  const opened = keys.map((key, depth) => `${"  ".repeat(depth)}${key}:`);
  const indent = "  ".repeat(keys.length);
  return ["apiVersion: heddle/v1", ...opened, ...text.split("\n").map((line) => indent + line)].join("\n");
}

/** The first whole document of a page; undefined if it has none. */
export function firstDocument(markdown: string): string | undefined {
  return blocksOf(markdown).find(({ language, text }) => language === "yaml" && !FRAGMENT.test(text))?.text;
}

/**
 * The examples of a page as one module. Each example stands in a scope inside of the one before: it sees what was named before it and
 * may use a name again, as a reader would. `document` is the YAML above it; `before` is what the page takes for granted.
 */
export function pageModule(markdown: string, before: string): string {
  const imports: string[] = [];
  const body: string[] = [];
  const add = (code: string): void => {
    imports.push(...(code.match(IMPORT) ?? []));
    body.push(code.replaceAll(IMPORT, ""));
  };
  let scopes = 0;
  add(before);
  for (const { language, text } of blocksOf(markdown)) {
    if (language !== "ts" && language !== "yaml") continue;
    body.push("{");
    scopes++;
    if (language === "yaml") body.push(`const document = ${JSON.stringify(parse(documentOf({ text })), null, 2)};`);
    else {
      body.push("beginExample();");
      add(text);
    }
  }
  return [
    ...mergedImports(['import { beginExample, console, expect, process } from "vitest";', ...imports]),
    "export async function page(): Promise<void> {",
    ...body,
    "}".repeat(scopes + 1),
    "",
  ].join("\n");
}

/** One import for each module, however many examples import it. */
function mergedImports(imports: readonly string[]): readonly string[] {
  const names = new Map<string, Set<string>>();
  for (const line of imports) {
    const [, type, byDefault, list = "", from = ""] = /^import (type )?(?:(\w+),? ?)?(?:\{([\s\S]*)\} )?from "(.+)";$/.exec(line) ?? [];
    if (from === "") throw new Error(`not understood: ${line}`);
    const known = names.get(from) ?? new Set();
    names.set(from, known);
    if (byDefault) known.add(`default as ${byDefault}`);
    for (const name of list.split(",")) if (name.trim()) known.add(`${type ?? ""}${name.trim()}`);
  }
  return [...names].map(([from, list]) => `import { ${[...list].join(", ")} } from "${from === "vitest" ? "../runner.ts" : from}";`);
}

export function readPage(path: string): string {
  return readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
}
