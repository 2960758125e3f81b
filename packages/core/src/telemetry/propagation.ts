import type { TraceContext } from "../context.ts";
import { copyHeaders, type HeaderMap } from "../message.ts";

/** Most characters of `tracestate` carried on, all its fields together. Whole members are left out, long ones first (W3C Trace Context 3.3.1.5). */
export const MAX_TRACESTATE_CHARS: number = 512;
/** More list members than this make `tracestate` invalid. */
export const MAX_TRACESTATE_MEMBERS: number = 32;
/** A later version may append fields to `traceparent`; longer than this, it is refused. */
export const MAX_TRACEPARENT_CHARS: number = 256;

const LONG_MEMBER_CHARS = 128;
/** Version 00: version, trace-id, parent-id, trace-flags. All later versions start the same. */
const VERSION_00_CHARS = 55;
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/;
/** Level 2's key, which holds every key of level 1. */
const STATE_KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const STATE_VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * The trace context of a message, read strictly by W3C Trace Context (level 1 and 2): null unless there is exactly one valid
 * `traceparent`. A `traceparent` of a later version is kept with the fields it adds. An invalid `tracestate` is left out alone.
 */
export function readTraceContext(headers: HeaderMap): TraceContext | null {
  const traceparent = onlyValue(headers.traceparent);
  if (traceparent === undefined || !isTraceparent(traceparent)) return null;
  return { traceparent, tracestate: headers.tracestate === undefined ? undefined : readTracestate(headers.tracestate) };
}

/** Headers that carry `trace` in place of whatever trace context was there. The given headers stay as they are. */
export function writeTraceContext(headers: HeaderMap, trace: TraceContext): HeaderMap {
  const written = copyHeaders(headers);
  written.traceparent = trace.traceparent;
  // A tracestate belongs to the traceparent it came with.
  if (trace.tracestate === undefined) delete written.tracestate;
  else written.tracestate = trace.tracestate;
  return written;
}

function isTraceparent(value: string): boolean {
  if (value.length === VERSION_00_CHARS) return TRACEPARENT.test(value);
  return value.length <= MAX_TRACEPARENT_CHARS && !value.startsWith("00") && TRACEPARENT.test(value);
}

function onlyValue(value: string | string[] | undefined): string | undefined {
  if (typeof value !== "object") return value;
  return value.length === 1 ? value[0] : undefined;
}

function readTracestate(value: string | string[]): string | undefined {
  const members: string[] = [];
  for (const part of (typeof value === "object" ? value.join(",") : value).split(",")) {
    const member = trimBlanks(part);
    if (member === "") continue;
    if (members.length === MAX_TRACESTATE_MEMBERS || !isMember(member)) return undefined;
    members.push(member);
  }
  const kept = withinLimit(members);
  return kept.length === 0 ? undefined : kept.join(",");
}

/** Not `trim()`, which takes more than the space and tab that HTTP allows around a list member. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function isMember(member: string): boolean {
  const equals = member.indexOf("=");
  return equals > 0 && STATE_KEY.test(member.slice(0, equals)) && STATE_VALUE.test(member.slice(equals + 1));
}

function withinLimit(members: string[]): string[] {
  let chars = members.reduce((sum, member) => sum + member.length + 1, -1);
  for (let index = members.length - 1; index >= 0 && chars > MAX_TRACESTATE_CHARS; index--) {
    const length = members[index]?.length ?? 0;
    if (length <= LONG_MEMBER_CHARS) continue;
    members.splice(index, 1);
    chars -= length + 1;
  }
  while (chars > MAX_TRACESTATE_CHARS) chars -= (members.pop()?.length ?? 0) + 1;
  return members;
}
