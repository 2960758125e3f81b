import type { CallOptions, Mesh } from "@heddle/core";
import { call, type MessageOptions } from "./call.ts";
import { CALL_OPTION_NAMES, checkCallOptions, isCallOption, unknownKey } from "./call-options.ts";
import type { MeshDispatcher } from "./dispatcher.ts";
import { type FetchFunction, meshFetch } from "./fetch.ts";
import type { FrontDoor } from "./front-door.ts";
import type { Reply } from "./reply.ts";
import { parsePath, type Target } from "./target.ts";
import type { OutboundOptions } from "./unclaimed.ts";

/** A message and, beside it, what the mesh should do for this call alone. */
export interface ServiceRequestOptions extends MessageOptions, CallOptions {}

export type ServiceCallOptions = Omit<ServiceRequestOptions, "method">;

/** A reply to come, with short ways to its body. */
export interface ReplyPromise extends Promise<Reply> {
  json<T = unknown>(): Promise<T>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array>;
}

/** Calls on one service, by path. All of its functions are bound, so that they can be passed on alone. */
export interface ServiceHandle {
  readonly name: string;
  get(path: string, options?: ServiceCallOptions): ReplyPromise;
  head(path: string, options?: ServiceCallOptions): ReplyPromise;
  post(path: string, options?: ServiceCallOptions): ReplyPromise;
  put(path: string, options?: ServiceCallOptions): ReplyPromise;
  patch(path: string, options?: ServiceCallOptions): ReplyPromise;
  delete(path: string, options?: ServiceCallOptions): ReplyPromise;
  request(path: string, options?: ServiceRequestOptions): ReplyPromise;
  /** A fetch for anything that takes one. What starts with a slash is a path of this service; absolute URLs go where they say. */
  readonly fetch: FetchFunction;
}

const MESSAGE_KEYS = {
  method: true,
  headers: true,
  body: true,
  json: true,
  query: true,
  signal: true,
} satisfies Record<keyof MessageOptions, true>;

/** The name may be a service's or one of its hosts. A name that no service claims fails each call with `unknown_service`, whatever `mesh.egress` says. */
export function serviceHandle(mesh: Mesh, name: string, outbound: OutboundOptions | MeshDispatcher = {}): ServiceHandle {
  if (typeof name !== "string" || name === "" || /[/?#@\s]/.test(name))
    throw new TypeError(`service ${JSON.stringify(name)} must be a name or host[:port]`);
  const authority = name.toLowerCase();
  const door: FrontDoor = { mesh, unclaimed: null, failures: outbound.failures ?? "reject" };
  const send = (method: string | undefined, path: string, options: ServiceRequestOptions | undefined): ReplyPromise =>
    withShortcuts(sendTo(door, authority, method, path, options));
  const fetch = meshFetch(mesh, outbound);
  return {
    name,
    get: (path, options) => send("GET", path, options),
    head: (path, options) => send("HEAD", path, options),
    post: (path, options) => send("POST", path, options),
    put: (path, options) => send("PUT", path, options),
    patch: (path, options) => send("PATCH", path, options),
    delete: (path, options) => send("DELETE", path, options),
    request: (path, options) => send(options?.method, path, options),
    fetch: (input, init) => fetch(typeof input === "string" && input.startsWith("/") ? `http://${authority}${input}` : input, init),
  };
}

function sendTo(
  door: FrontDoor,
  authority: string,
  method: string | undefined,
  path: string,
  options: ServiceRequestOptions | undefined,
): Promise<Reply> {
  try {
    const target: Target = { scheme: "http", authority, path: parsePath(path) };
    const callOptions = options && pickCallOptions(options);
    return call(door, target, method, options, callOptions);
  } catch (error) {
    return Promise.reject(error);
  }
}

function pickCallOptions(options: ServiceRequestOptions): CallOptions | undefined {
  let picked: Record<string, unknown> | undefined;
  for (const name in options) {
    if (isCallOption(name)) {
      picked ??= {};
      picked[name] = options[name];
    } else if (!Object.hasOwn(MESSAGE_KEYS, name)) throw unknownKey(name, name, [...Object.keys(MESSAGE_KEYS), ...CALL_OPTION_NAMES]);
  }
  checkCallOptions(picked);
  return picked;
}

function withShortcuts(reply: Promise<Reply>): ReplyPromise {
  const short = reply as ReplyPromise;
  short.json = json;
  short.text = text;
  short.bytes = bytes;
  return short;
}

// Shared by all replies: one property each, no closure.

function json<T>(this: Promise<Reply>): Promise<T> {
  return this.then((reply) => reply.json<T>());
}

function text(this: Promise<Reply>): Promise<string> {
  return this.then((reply) => reply.text());
}

function bytes(this: Promise<Reply>): Promise<Uint8Array> {
  return this.then((reply) => reply.bytes());
}
