import { at, identifierName, isNode, type Node, type SourceFile, stringValue, type Violation, walk } from "./source-file.ts";

/** A file that may use one of the globals, with the reason. */
export interface Exception {
  readonly path: string;
  readonly uses: readonly string[];
  readonly because: string;
}

const TIMERS = ["setTimeout", "setInterval", "setImmediate"];
const MEMBERS = [
  "Date.now",
  "performance.now",
  "performance.timeOrigin",
  "Math.random",
  "process.hrtime",
  "process.uptime",
  "AbortSignal.timeout",
];
const MODULES = ["node:timers", "node:timers/promises", "node:perf_hooks"];

/** Time and chance are passed in (a Clock, a Random), so that every policy can be tested in virtual time and with a seed. */
export function checkTimeAndChance(files: readonly SourceFile[], exceptions: readonly Exception[]): readonly Violation[] {
  return files
    .filter((file) => !file.isTest)
    .flatMap((file) => {
      const exception = exceptions.find((one) => one.path === file.path);
      const uses = usesOf(file);
      const stale = (exception?.uses ?? []).filter((allowed) => !uses.some((use) => use.name === allowed));
      return [
        ...uses
          .filter((use) => !exception?.uses.includes(use.name))
          .map((use) => ({ where: at(file, use.node), message: `uses ${use.name}; take a clock or a random as parameter` })),
        ...stale.map((name) => ({
          where: file.path,
          message: `no longer uses ${name}: remove its exception from scripts/check-architecture.ts`,
        })),
      ];
    });
}

function usesOf(file: SourceFile): readonly { readonly name: string; readonly node: Node }[] {
  const uses: { readonly name: string; readonly node: Node }[] = [];
  walk(file.program, (node, parent) => {
    const name = useIn(node, parent);
    if (name !== undefined) uses.push({ name, node });
  });
  return uses;
}

function useIn(node: Node, parent: Node | null): string | undefined {
  switch (node.type) {
    case "MemberExpression":
      return globalMember(node);
    case "NewExpression":
      return identifierName(node.callee) === "Date" && isEmpty(node.arguments) ? "new Date()" : undefined;
    case "CallExpression":
      return identifierName(node.callee) === "Date" ? "Date()" : undefined;
    case "ImportDeclaration":
      return MODULES.find((name) => name === stringValue(node.source));
    case "Identifier":
      return TIMERS.find((name) => name === node.name && !isOnlyAName(node, parent));
    default:
      return undefined;
  }
}

/** `Date.now`, `globalThis.Date.now` and `globalThis.setTimeout`. */
function globalMember(node: Node): string | undefined {
  const property = identifierName(node.property) ?? stringValue(node.property);
  if (property === undefined || !isNode(node.object)) return undefined;
  if (identifierName(node.object) === "globalThis") return TIMERS.find((name) => name === property);
  const object = node.object.type === "MemberExpression" ? identifierName(node.object.property) : identifierName(node.object);
  return MEMBERS.find((name) => name === `${object}.${property}`);
}

/** The name of a property or of a method, as in `socket.setTimeout(...)`: not the global. */
function isOnlyAName(node: Node, parent: Node | null): boolean {
  if (!parent || parent.computed === true) return false;
  if (parent.type === "MemberExpression") return parent.property === node;
  if (parent.type === "Property") return parent.key === node;
  return (
    parent.type.startsWith("TS") || ((parent.type === "MethodDefinition" || parent.type === "PropertyDefinition") && parent.key === node)
  );
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}
