import type { CallOptions, Mesh } from "@heddle/core";
import { call, type MessageOptions } from "./call.ts";
import { CALL_OPTION_NAMES, checkCallOptions, isCallOption, unknownKey } from "./call-options.ts";
import type { Reply } from "./reply.ts";
import { parseTarget } from "./target.ts";
import { type OutboundOptions, unclaimedHandler } from "./unclaimed.ts";

export interface RequestOptions extends MessageOptions {
  /** For this call alone; narrows what the document allows. */
  readonly mesh?: CallOptions;
}

/** `mesh.request`: the fast way. The host of the URL names the service. */
export type RequestFunction = (url: string | URL, options?: RequestOptions) => Promise<Reply>;

const KEYS = {
  method: true,
  headers: true,
  body: true,
  json: true,
  query: true,
  signal: true,
  mesh: true,
} satisfies Record<keyof RequestOptions, true>;

/** A `request` bound to this mesh, which can be passed on alone. */
export function meshRequest(mesh: Mesh, outbound: OutboundOptions = {}): RequestFunction {
  const door = { mesh, unclaimed: unclaimedHandler(mesh, outbound), failures: outbound.failures ?? "reject" };
  return (url, options) => {
    try {
      if (options !== undefined) checkOptions(options);
      return call(door, parseTarget(url), options?.method, options, options?.mesh);
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

function checkOptions(options: RequestOptions): void {
  for (const name in options) {
    if (Object.hasOwn(KEYS, name)) continue;
    if (isCallOption(name)) throw new TypeError(`${name} stands under mesh: { mesh: { ${name}: ... } }`);
    throw unknownKey(name, name, [...Object.keys(KEYS), ...CALL_OPTION_NAMES]);
  }
  checkCallOptions(options.mesh);
}
