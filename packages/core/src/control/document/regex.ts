import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** Why RE2 refuses this expression; undefined if it takes it. Loads the engine on first need: most documents have no regex. */
export function regexMistake(expression: string): string | undefined {
  const { RE2JS } = require("re2js") as typeof import("re2js");
  try {
    RE2JS.compile(expression);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** How many groups an expression has; undefined if RE2 refuses it. */
export function groupCount(expression: string): number | undefined {
  if (regexMistake(expression) !== undefined) return undefined;
  const { RE2JS } = require("re2js") as typeof import("re2js");
  return RE2JS.compile(expression).groupCount();
}
