import { type Reading, read, refused } from "../identity/names/reading.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** No issuer nests claims deeper. */
const DEEPEST = 16;
/** Of JSON that was parsed, all that is needed to see its shape. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g;

/**
 * A JSON object that every parser reads alike: a key that stands twice (RFC 7515 section 4, RFC 7519 section 4) would let two parsers see
 * two tokens in one, and `__proto__` is a name that copying obeys. Frozen all through.
 */
export function readJsonObject(bytes: Uint8Array): Reading<JsonObject> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch {
    return refused("it is not JSON in UTF-8");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refused("it is not a JSON object");
  const flaw = flawOf(text);
  return flaw === null ? read(frozen(value) as JsonObject) : refused(flaw);
}

interface Open {
  /** null: a list. */
  readonly keys: Set<string> | null;
  awaitsKey: boolean;
}

function flawOf(text: string): string | null {
  const open: Open[] = [];
  for (const [token] of text.matchAll(TOKENS)) {
    const top = open.at(-1);
    switch (token) {
      case "{":
      case "[":
        if (open.length === DEEPEST) return `it nests deeper than ${DEEPEST}`;
        open.push(token === "{" ? { keys: new Set(), awaitsKey: true } : { keys: null, awaitsKey: false });
        break;
      case "}":
      case "]":
        open.pop();
        break;
      case ",":
        if (top) top.awaitsKey = top.keys !== null;
        break;
      default: {
        if (!top?.keys || !top.awaitsKey) break;
        top.awaitsKey = false;
        const key = JSON.parse(token) as string;
        if (top.keys.has(key)) return "a key stands in it twice";
        if (key === "__proto__") return "a key in it is __proto__";
        top.keys.add(key);
      }
    }
  }
  return null;
}

/** What was verified serves many requests: none may change what the next is decided by. */
function frozen<Value>(value: Value): Value {
  if (typeof value !== "object" || value === null) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
