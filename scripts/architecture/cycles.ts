import { targetOf } from "./import-table.ts";
import { importsOf } from "./imports-of.ts";
import type { SourceFile, Violation } from "./source-file.ts";

/** No file loads itself through what it loads. Type imports are free: they are gone when the program runs. */
export function checkCycles(files: readonly SourceFile[]): readonly Violation[] {
  const graph = new Map(files.map((file) => [file.path, loadedBy(file)]));
  const done = new Set<string>();
  const violations: Violation[] = [];
  for (const start of graph.keys()) {
    const cycle = findCycle(start, graph, done);
    if (cycle) violations.push({ where: start, message: `imports itself: ${cycle.join(" -> ")}` });
  }
  return violations;
}

function loadedBy(file: SourceFile): readonly string[] {
  return importsOf(file).flatMap((found) => {
    const target = found.kind === "static" ? targetOf(file.path, found.specifier) : undefined;
    return target === undefined ? [] : [target];
  });
}

/** Depth first; what was searched once without a cycle is not searched again. */
function findCycle(start: string, graph: ReadonlyMap<string, readonly string[]>, done: Set<string>): readonly string[] | undefined {
  const path: string[] = [];
  const visit = (file: string): readonly string[] | undefined => {
    const seen = path.indexOf(file);
    if (seen !== -1) return [...path.slice(seen), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle) {
        for (const member of path) done.add(member);
        return cycle;
      }
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  return visit(start);
}
