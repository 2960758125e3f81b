import { format } from "node:util";

export { expect } from "vitest";

// What the examples of a page find where they run: `vitest`, `console` and `process` are this module there.

const printed: string[][] = [];
const signalled: (() => unknown)[] = [];
const registered: { readonly name: string; readonly run: () => unknown }[] = [];

/** What the examples print is compared with what the page says they do. */
export const console: Pick<Console, "log"> = {
  log: (...values) => void printed.at(-1)?.push(format(...values)),
};

/** What an example does on a signal is done when the page is over. */
export const process = {
  once: (_signal: NodeJS.Signals, handler: () => unknown): void => void signalled.push(handler),
};

/** Tests that an example registers run when the page's examples have. */
export function test(name: string, run: () => unknown): void {
  registered.push({ name, run });
}

/** Called by the page before each of its examples. */
export function beginExample(): void {
  printed.push([]);
}

/** Runs a page. Returns what each example printed. */
export async function runPage(page: () => Promise<void>): Promise<readonly string[]> {
  printed.length = 0;
  registered.length = 0;
  signalled.length = 0;
  await page();
  for (const { name, run } of registered) {
    try {
      await run();
    } catch (error) {
      throw new Error(`${name}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  for (const handler of signalled) await handler();
  return printed.map((lines) => lines.join("\n"));
}
