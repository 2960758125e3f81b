/** One element of DER (X.690): its tag, and where in `bytes` it and its content stand. */
export interface DerElement {
  readonly bytes: Uint8Array;
  readonly tag: number;
  /** First byte of the tag. */
  readonly start: number;
  readonly contentStart: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** What is not DER. Thrown within the readers of this folder and caught by those that others call. */
export class DerError extends Error {
  override readonly name = "DerError";
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Context-specific tag `number`; constructed unless said otherwise. */
export function contextTag(number: number, form: "constructed" | "primitive" = "constructed"): number {
  return (form === "constructed" ? 0xa0 : 0x80) | number;
}

/**
 * Reads the element at `start`, which must end by `end`. Lengths must be definite and in their shortest form, as DER demands: of two
 * encodings of one certificate only one is read.
 */
export function elementAt(bytes: Uint8Array, start: number, end: number): DerElement {
  const tag = byteAt(bytes, start, end);
  if ((tag & 0x1f) === 0x1f) throw new DerError("a tag of more than one byte");
  const first = byteAt(bytes, start + 1, end);
  let contentStart = start + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0) throw new DerError("an indefinite length");
    if (count > 3) throw new DerError("a length of more than 16 MiB");
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + byteAt(bytes, contentStart + index, end);
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError("a length that is not in its shortest form");
    contentStart += count;
  }
  if (contentStart + length > end) throw new DerError(`an element of ${length} bytes where ${Math.max(0, end - contentStart)} are left`);
  return { bytes, tag, start, contentStart, end: contentStart + length };
}

function byteAt(bytes: Uint8Array, at: number, end: number): number {
  const byte = at < end ? bytes[at] : undefined;
  if (byte === undefined) throw new DerError("the end in the middle of an element");
  return byte;
}

/** `bytes` as exactly one element with nothing behind it. */
export function wholeElement(bytes: Uint8Array, tag: number): DerElement {
  const element = elementAt(bytes, 0, bytes.length);
  if (element.end !== bytes.length) throw new DerError(`${bytes.length - element.end} bytes behind the end`);
  return expectTag(element, tag);
}

export function expectTag(element: DerElement | undefined, tag: number): DerElement {
  if (element === undefined) throw new DerError(`nothing where tag 0x${tag.toString(16)} was expected`);
  if (element.tag !== tag) throw new DerError(`tag 0x${element.tag.toString(16)} where 0x${tag.toString(16)} was expected`);
  return element;
}

/** The elements within a constructed one. */
export function childrenOf(parent: DerElement): readonly DerElement[] {
  const children: DerElement[] = [];
  for (let at = parent.contentStart; at < parent.end; ) {
    const child = elementAt(parent.bytes, at, parent.end);
    children.push(child);
    at = child.end;
  }
  return children;
}

export function contentOf(element: DerElement): Uint8Array {
  return element.bytes.subarray(element.contentStart, element.end);
}

/** The element with its tag and length. */
export function encodingOf(element: DerElement): Uint8Array {
  return element.bytes.subarray(element.start, element.end);
}

export function booleanOf(element: DerElement): boolean {
  const content = contentOf(expectTag(element, TAG.boolean));
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerError("a boolean that is neither 00 nor FF");
  return content[0] === 0xff;
}

/** The bytes of an integer, checked to be in their shortest form. */
export function integerBytesOf(element: DerElement): Uint8Array {
  const content = contentOf(expectTag(element, TAG.integer));
  const [first, second] = content;
  if (first === undefined) throw new DerError("an integer without content");
  if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80)))
    throw new DerError("an integer that is not in its shortest form");
  return content;
}

/** A small integer of no less than 0. */
export function smallIntegerOf(element: DerElement): number {
  const content = integerBytesOf(element);
  if ((content[0] ?? 0) >= 0x80) throw new DerError("a negative number");
  if (content.length > 4) throw new DerError("a number above 2^31");
  return content.reduce((value, byte) => value * 256 + byte, 0);
}

/** In dots: `2.5.29.17`. */
export function objectIdentifierOf(element: DerElement): string {
  const content = contentOf(expectTag(element, TAG.objectIdentifier));
  const arcs: number[] = [];
  let arc = 0;
  let isInside = false;
  for (const byte of content) {
    if (!isInside && byte === 0x80) throw new DerError("an object identifier that is not in its shortest form");
    arc = arc * 128 + (byte & 0x7f);
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new DerError("an object identifier with an arc above 2^46");
    isInside = byte >= 0x80;
    if (isInside) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first, ...rest] = arcs;
  if (first === undefined || isInside) throw new DerError("an object identifier that ends within an arc");
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join(".");
}

/**
 * Of a BIT STRING of named bits (X.680 22.7): bit 0 is the first. Unused bits must be zero. Trailing zero bits, which DER leaves out, are
 * taken: old authorities write them, and they say the same.
 */
export function namedBitsOf(element: DerElement): ReadonlySet<number> {
  const content = contentOf(expectTag(element, TAG.bitString));
  const unused = content[0];
  const last = content.at(-1) ?? 0;
  if (unused === undefined || unused > 7 || (content.length === 1 && unused !== 0))
    throw new DerError("a bit string with a wrong count of unused bits");
  if (content.length > 1 && (last & ((1 << unused) - 1)) !== 0) throw new DerError("a bit string with unused bits set");
  const bits = new Set<number>();
  content.subarray(1, 9).forEach((byte, index) => {
    for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) bits.add(index * 8 + bit);
  });
  return bits;
}

/** UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 allows them: in UTC, with seconds, without fractions. Milliseconds since 1970. */
export function timeOf(element: DerElement): number {
  const isShort = element.tag === TAG.utcTime;
  if (!isShort) expectTag(element, TAG.generalizedTime);
  const text = Buffer.from(contentOf(element)).toString("latin1");
  if (!(isShort ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) throw new DerError("a time that is not YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ");
  const full = isShort ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const iso = full.replace(/^(.{4})(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6.000Z");
  const date = new Date(iso);
  // A 31 February rolls over, or gives no date at all.
  if (Number.isNaN(date.getTime()) || date.toISOString() !== iso) throw new DerError("a time that does not exist");
  return date.getTime();
}
