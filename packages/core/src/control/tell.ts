import type { LoadedDocument } from "./document/load.ts";
import type { SourceSink } from "./source.ts";

/**
 * Hands a loaded document to whoever watches. Warnings come after the update they belong to, which ends what was wrong before;
 * errors end with what happens now.
 */
export function tell(sink: SourceSink, { snapshot, problems }: LoadedDocument, hasGood: boolean): void {
  if (snapshot) sink.update(snapshot);
  const consequence = hasGood ? "the last good configuration stays in force" : "the mesh waits for a good one";
  for (const [index, problem] of problems.entries()) {
    const isLast = !snapshot && index === problems.length - 1;
    sink.problem(isLast ? { ...problem, message: `${problem.message}; ${consequence}` } : problem);
  }
}
