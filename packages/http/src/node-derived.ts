import type { IncomingMessage } from "node:http";
import { type HeaderMap, MeshError, type MeshRequest, requestName } from "@heddle/core";
import { ABSOLUTE_FORM, type RoutedMessage } from "./node-target.ts";

/** What a framework has made of the path by the time the stack is run. */
export type Routing = "before" | "decided";

/**
 * A name or an address, with or without a port (RFC 9110 7.2), or nothing. Of `u@host`, `host/x` and `h%6fst` a URL parser makes another
 * host than the one that rules compare. Hence no escapes, which the RFC would have in names.
 */
export const HOST_AND_PORT: RegExp = /^(?:[\w.~!$&'()*+,;=-]*|\[[\da-f:.]+\])(?::\d*)?$/;

/**
 * Shows the application the request as the layers gave it on: what they changed of the path, and whom they removed or put among the
 * headers. Throws a MeshError `invalid_request` where the framework has already gone by another path than the one that was let in.
 */
export function showDerived(message: IncomingMessage, came: MeshRequest, called: MeshRequest, routing: Routing): void {
  // RFC 9112 3.2. Node shows the first in one place and both in others, and rules hold for the first.
  if (Array.isArray(came.headers.host)) throw new MeshError("invalid_request", `serving ${requestName(came)}: Host is sent more than once`);
  if (!HOST_AND_PORT.test(came.authority))
    throw new MeshError("invalid_request", `serving ${requestName(came)}: its Host is no host with or without a port`);
  const headers = isAbsolute(message) ? authorityAsHost(came.authority, called.headers) : called.headers;
  const target = targetOf(message);
  // Also where no layer changed it: in `http://host?/admin`, whose path is `/`, a framework may find another one.
  if (called.method !== "CONNECT" && retarget(target, called.path) !== target) changePath(message, target, called.path, routing);
  if (headers !== came.headers) changeHeaders(message, came.headers, headers);
}

/** As it came, whatever a framework has taken off it. */
function targetOf({ originalUrl, url }: RoutedMessage): string {
  return originalUrl ?? url ?? "/";
}

function isAbsolute(message: RoutedMessage): boolean {
  const target = targetOf(message);
  return !target.startsWith("/") && ABSOLUTE_FORM.test(target);
}

/** The authority of an absolute target was let in; applications look at the Host field, which may say anything (RFC 9112 3.2.2). */
function authorityAsHost(authority: string, headers: HeaderMap): HeaderMap {
  return String(headers.host).toLowerCase() === authority ? headers : { ...headers, host: authority };
}

function changePath(message: RoutedMessage, from: string, to: string, routing: Routing): void {
  if (routing === "decided") throw routedOtherwise(from, to);
  const url = message.url ?? "/";
  const { originalUrl } = message;
  if (originalUrl === undefined) {
    message.url = retarget(url, to);
    return;
  }
  // Within Express: `url` is what is left of it below the mount path, which was matched against what came.
  const mount = message.baseUrl ?? "";
  if (originalUrl !== mount + url || !to.startsWith(`${mount}/`)) throw routedOtherwise(from, to);
  message.url = to.slice(mount.length);
  message.originalUrl = to;
}

/** An absolute target stays one. */
function retarget(url: string, path: string): string {
  const absolute = url.startsWith("/") ? null : ABSOLUTE_FORM.exec(url);
  return absolute ? `${absolute[0].slice(0, absolute[0].length - (absolute[2] ?? "").length)}${path}` : path;
}

function routedOtherwise(from: string, to: string): MeshError {
  return new MeshError(
    "invalid_request",
    `serving ${from}: it reads ${to}, but the framework has already routed it by what came; serve with mesh.listen, mesh.serverFactory or mesh.attach`,
  );
}

function changeHeaders(message: IncomingMessage, from: HeaderMap, to: HeaderMap): void {
  const raw: string[] = [];
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = message.rawHeaders[index] ?? "";
    const key = name.toLowerCase();
    if (to[key] !== undefined && to[key] === from[key]) raw.push(name, message.rawHeaders[index + 1] ?? "");
  }
  const headers: Record<string, string | string[]> = {};
  for (const [key, value] of Object.entries(to)) {
    if (value === undefined) continue;
    // Left as it came: one text of several fields is what Node shows.
    headers[key] = value === from[key] ? (message.headers[key] ?? value) : value;
    if (value !== from[key]) for (const each of [value].flat()) raw.push(key, each);
  }
  message.headers = headers;
  message.rawHeaders = raw;
  // Node makes them of the raw headers when they are first read, by the number there was of them.
  message.headersDistinct = distinct(raw);
}

function distinct(raw: readonly string[]): NodeJS.Dict<string[]> {
  const headers: NodeJS.Dict<string[]> = Object.create(null);
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = (raw[index] ?? "").toLowerCase();
    const value = raw[index + 1] ?? "";
    const values = headers[name];
    if (values) values.push(value);
    else headers[name] = [value];
  }
  return headers;
}
