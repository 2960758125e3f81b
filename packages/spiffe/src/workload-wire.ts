import { type Reading, read, refused } from "@heddle/core";

/** A field that holds bytes: a string, bytes or a message within the message. */
export interface WireField {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** A message of the Workload API has a dozen fields and one for each federated trust domain. */
const MAX_FIELDS = 10_000;
const MAX_VARINT_BYTES = 10;
/** 29 bits of field number, 3 of type. */
const MAX_TAG = 2 ** 32 - 1;

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const GROUP_BEGIN = 3;
const GROUP_END = 4;
const FIXED_32 = 5;

interface Varint {
  /** Exact up to 2^53, which is more than any length or tag may be. */
  readonly value: number;
  readonly end: number;
}

/**
 * The fields of a protobuf message that hold bytes, in their order; what has another type is passed over, as unknown fields are. Bounded,
 * never throws. The bytes are views of `message`.
 */
export function readFields(message: Uint8Array): Reading<readonly WireField[]> {
  const fields: WireField[] = [];
  const openGroups: number[] = [];
  let at = 0;
  for (let count = 0; at < message.length; count++) {
    if (count === MAX_FIELDS) return refused(`it has more than ${MAX_FIELDS} fields`);
    const tag = readVarint(message, at);
    if (tag === null || tag.value > MAX_TAG) return refused(`the field at byte ${at} has no number that can be read`);
    const number = Math.floor(tag.value / 8);
    const type = tag.value % 8;
    if (number === 0) return refused(`the field at byte ${at} has the number 0`);
    if (type === GROUP_BEGIN) openGroups.push(number);
    if (type === GROUP_END && openGroups.pop() !== number) return refused(`at byte ${at} ends a group that did not begin`);
    const content = contentOf(message, tag.end, type);
    if (content === null) return refused(`field ${number} at byte ${at} is cut short, or of a type that does not exist`);
    if (type === LENGTH && openGroups.length === 0) fields.push({ number, bytes: message.subarray(content.begin, content.end) });
    at = content.end;
  }
  return openGroups.length === 0 ? read(fields) : refused(`the group ${openGroups.at(-1)} does not end`);
}

/** Where the content of a field lies; null where it is not all there. */
function contentOf(message: Uint8Array, begin: number, type: number): { readonly begin: number; readonly end: number } | null {
  const within = (from: number, length: number) => (length <= message.length - from ? { begin: from, end: from + length } : null);
  switch (type) {
    case VARINT: {
      const varint = readVarint(message, begin);
      return varint && { begin, end: varint.end };
    }
    case FIXED_64:
      return within(begin, 8);
    case LENGTH: {
      const length = readVarint(message, begin);
      return length && within(length.end, length.value);
    }
    case GROUP_BEGIN:
    case GROUP_END:
      return { begin, end: begin };
    case FIXED_32:
      return within(begin, 4);
    default:
      return null;
  }
}

function readVarint(message: Uint8Array, begin: number): Varint | null {
  let value = 0;
  for (let index = 0; index < MAX_VARINT_BYTES; index++) {
    const byte = message[begin + index];
    if (byte === undefined) return null;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: begin + index + 1 };
  }
  return null;
}
