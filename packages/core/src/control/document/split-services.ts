/** Where the services of a document stand, each from its key to the next. */
export interface SplitServices {
  /** Of the line `services:`. */
  readonly header: number;
  /** From the first service to what follows the last. */
  readonly start: number;
  readonly end: number;
  /** Columns before the keys. */
  readonly indent: number;
  /** Where each begins. */
  readonly blocks: readonly number[];
}

const HEADER = /^services: *(?: #.*)?\r?$/m;

/**
 * Finds the services of a YAML document by looking at how its lines are indented, and at nothing else: whether each block is what it
 * looks like is for whoever reads it. Undefined where lines do not tell: there are none, the text has directives or tabs, or a line
 * stands further to the left than the first service.
 */
export function splitServices(text: string): SplitServices | undefined {
  const header = HEADER.exec(text)?.index;
  if (header === undefined || text.includes("\t") || /^%/m.test(text)) return undefined;
  const blocks: number[] = [];
  let indent = 0;
  for (let from = lineAfter(text, header); from < text.length; from = lineAfter(text, from)) {
    let at = from;
    while (text.charCodeAt(at) === SPACE) at++;
    const first = text[at];
    if (first === "\n" || first === "\r" || first === "#" || first === undefined) continue;
    const column = at - from;
    if (column === 0) return found(blocks, from);
    if (blocks.length === 0) indent = column;
    if (column < indent) return undefined;
    if (column === indent) blocks.push(from);
  }
  return found(blocks, text.length);

  function found(starts: readonly number[], end: number): SplitServices | undefined {
    const start = starts[0];
    return start === undefined ? undefined : { header: header as number, start, end, indent, blocks: starts };
  }
}

const SPACE = 0x20;

function lineAfter(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end + 1;
}
