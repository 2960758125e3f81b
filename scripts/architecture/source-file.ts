import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "vitest/node";

/** A syntax node (ESTree with TypeScript's additions), read structurally: the rules need a handful of its fields. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

/** One place that breaks a rule. */
export interface Violation {
  /** Relative to the repository, with a line where there is one: `packages/core/src/mesh.ts:12`. */
  readonly where: string;
  readonly message: string;
}

/** A parsed source file. */
export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: Node;
  /** Tests and what only tests use are exempt from most rules. */
  readonly isTest: boolean;
}

export function readSource(root: string, path: string): SourceFile {
  return parseSource(path, readFileSync(join(root, path), "utf8"));
}

export function parseSource(path: string, text: string): SourceFile {
  const program = parseAst(text, { lang: "ts" }) as unknown as Node;
  return { path, text, program, isTest: /\.test\.ts$|^test\//.test(path) };
}

/** Calls `visit` for every node, parents first, with its parent. */
export function walk(node: Node, visit: (node: Node, parent: Node | null) => void, parent: Node | null = null): void {
  visit(node, parent);
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) walk(item, visit, node);
    } else if (isNode(value)) {
      walk(value, visit, node);
    }
  }
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** The name of an identifier node; undefined for any other node. */
export function identifierName(node: unknown): string | undefined {
  return isNode(node) && node.type === "Identifier" && typeof node.name === "string" ? node.name : undefined;
}

/** The value of a string literal node; undefined for any other node. */
export function stringValue(node: unknown): string | undefined {
  return isNode(node) && node.type === "Literal" && typeof node.value === "string" ? node.value : undefined;
}

export function lineOf(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

export function at(file: SourceFile, node: Node): string {
  return `${file.path}:${lineOf(file.text, node.start)}`;
}
