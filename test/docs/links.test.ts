import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { anchorsOf, linksOf } from "./markdown.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FILES = globSync("**/*.md", {
  cwd: ROOT,
  exclude: (name) => name.split("/").some((part) => part === "node_modules" || part === "dist"),
});

function brokenLinks(file: string, markdown: string): readonly string[] {
  return linksOf(markdown).flatMap(({ target, line }) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = "", anchor] = target.split("#");
    const to = resolve(ROOT, dirname(file), path);
    if (!existsSync(to)) return [`${file}:${line} ${target}: there is no such file`];
    if (anchor === undefined) return [];
    const anchors = anchorsOf(path === "" ? markdown : readFileSync(to, "utf8"));
    return anchors.has(anchor) ? [] : [`${file}:${line} ${target}: there is no such heading`];
  });
}

test("every link between the pages leads to a file, and to a heading in it", () => {
  expect(FILES).toContain("README.md");
  expect(FILES.flatMap((file) => brokenLinks(file, readFileSync(resolve(ROOT, file), "utf8")))).toEqual([]);
});

test("a link that leads nowhere is found, code is no link", () => {
  const text = "# A `b`: c\n[x](none.md) [y](#a-b-c) [z](#d)\n```\n[x](none.md)\n```\n`[x](none.md)` [w](README.md#try-it)\n";
  expect(brokenLinks("x.md", text).map((link) => link.split(":")[1])).toEqual(["2 none.md", "2 #d"]);
});
