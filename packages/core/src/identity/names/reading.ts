/** What came of reading something that others wrote: what it says, or why it says nothing, in words. Readers never throw. */
export type Reading<Value> = { readonly ok: true; readonly value: Value } | Refused;

export interface Refused {
  readonly ok: false;
  /** Says where, what was found and what was expected; never what a key file holds. */
  readonly reason: string;
}

export function read<Value>(value: Value): Reading<Value> {
  return { ok: true, value };
}

export function refused(reason: string): Refused {
  return { ok: false, reason };
}

const LONGEST_QUOTE = 120;

/** Foreign text for a message: in quotes, on one line, bounded, nothing in it that a terminal obeys or a reader cannot see. */
export function quoted(text: string): string {
  const shown = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text;
  return JSON.stringify(shown).replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** A moment for a message. Certificates name years up to 9999, which a Date holds. */
export function moment(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
