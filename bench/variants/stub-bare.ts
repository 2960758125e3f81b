import { Cancel, type MeshRequest, RequestContext } from "@heddle/core";
import type { OpenVariant } from "../variant.ts";
import { readStub, stubSend } from "./stub-transport.ts";

/** A request as the stub transport gets it, for the stub variants that have no mesh to make one. */
export function stubRequest(path: string): MeshRequest {
  const cancel = new Cancel();
  return {
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path,
    headers: {},
    body: null,
    context: new RequestContext(0, {}, cancel, null),
    cancel,
    attempt: null,
  };
}

/** The stub alone, awaited: what every other stub row contains. */
export const open: OpenVariant = async ({ path }) => {
  const send = stubSend({ requests: 0, unsampled: 0 }, false);
  const request = stubRequest(path);
  return {
    isInstant: true,
    async call() {
      readStub(await send(request));
    },
    async close() {},
  };
};
