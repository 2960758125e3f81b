import fc from "fast-check";

/** What turns a careless assignment into a change of Object.prototype, or finds a function where a value was looked for. */
export const HOSTILE_NAMES: readonly string[] = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"];

const FRAGMENTS: readonly string[] = [
  ...HOSTILE_NAMES,
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\t",
  " ",
  "\u00a0",
  "\u2028",
  "\ufeff",
  "\ud800",
  "\udfff",
  "\ud83d\ude00",
  "\u0130",
  "\u212a",
  "\u00df",
  "\u00ff",
  "\u0100",
  "%00",
  "%2e%2e",
  "%zz",
  "..",
  "//",
  "\\",
  "@",
  "#",
  "?",
  ":",
  "[::1]",
  "-1",
  "0x10",
  "1e3",
  "NaN",
  "null",
  "x-injected: yes",
];

/** Text as an attacker or an accident writes it: plain characters with fragments that have broken parsers before. */
export function hostileText(maxParts = 6): fc.Arbitrary<string> {
  return fc
    .array(fc.oneof({ weight: 3, arbitrary: fc.string({ maxLength: 4 }) }, { weight: 2, arbitrary: fc.constantFrom(...FRAGMENTS) }), {
      maxLength: maxParts,
    })
    .map((parts) => parts.join(""));
}

/** Text made of these pieces alone: what a grammar allows in an order that it may not. */
export function piecesOf(pieces: readonly string[], maxPieces: number): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...pieces), { maxLength: maxPieces }).map((parts) => parts.join(""));
}

export interface Edit {
  /** Share of the text before the place. */
  readonly at: number;
  readonly remove: number;
  readonly insert: string;
}

export function edits(inserted: readonly string[], maxEdits: number): fc.Arbitrary<readonly Edit[]> {
  return fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 999 }),
      remove: fc.integer({ min: 0, max: 4 }),
      insert: fc.oneof(fc.constantFrom(...inserted), fc.string({ maxLength: 2 })),
    }),
    { maxLength: maxEdits },
  );
}

/** A text with some of its characters taken out and others put in. */
export function edited(text: string, changes: readonly Edit[]): string {
  let result = text;
  for (const { at, remove, insert } of changes) {
    const from = Math.floor((result.length * at) / 1_000);
    result = result.slice(0, from) + insert + result.slice(from + remove);
  }
  return result;
}

/** What {@link oddValues} throw: whoever is given such an object may pass it on, and throw nothing else. */
export const OWN_ERROR = new Error("an object of the caller throws this");

function cycle(): object {
  const value: Record<string, unknown> = {};
  value.self = value;
  value.again = value;
  return value;
}

function sparse(): unknown[] {
  const value: unknown[] = [];
  value[3] = 1;
  return value;
}

/** Values that code can hand over and no text can say. Made anew for each input. */
export const oddValues: fc.Arbitrary<unknown> = fc
  .constantFrom<() => unknown>(
    () => Number.NaN,
    () => Number.POSITIVE_INFINITY,
    () => -0,
    () => 1n,
    () => Symbol("odd"),
    () => () => 1,
    () => cycle(),
    () => sparse(),
    () => new Date(0),
    () => new Map([["a", 1]]),
    () => new String("10s"),
    () => new Number(1),
    () => Object.create({ inherited: 1 }) as object,
    () => Object.assign(Object.create(null) as object, { exact: "a" }),
    () => JSON.parse('{"__proto__": {"polluted": true}}') as object,
    () => JSON.parse('{"constructor": {"prototype": {"polluted": true}}}') as object,
    () => ({
      get thrown() {
        throw OWN_ERROR;
      },
    }),
    () =>
      new Proxy(
        {},
        {
          ownKeys() {
            throw OWN_ERROR;
          },
        },
      ),
    () =>
      new Proxy(
        {},
        {
          getPrototypeOf() {
            throw OWN_ERROR;
          },
        },
      ),
    () => undefined,
    () => null,
    () => "",
    () => [],
    () => ({}),
    () => true,
    () => 0,
    () => "off",
    () => "\ud800",
  )
  .map((make) => make());
