import type { IncomingHttpHeaders } from "node:http2";
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import type { RpcKind } from "@heddle/core";
import type { Serving } from "@heddle/http";
import { type InterceptedCall, interceptedCall } from "./grpc-js-server.ts";
import type { BoundConnections } from "./server-bound-connections.ts";
import { type CallPlace, serveCall } from "./server-call.ts";

/**
 * Runs the inbound stack around each call that grpc-js has found a method for. It has to be nearest the wire, as interceptors of credentials
 * are: it answers by itself, and looks at what is answered.
 */
export function meshInterceptor(serving: Serving, connections: BoundConnections): ServerInterceptor {
  return (method, call) => {
    const intercepted = interceptedCall(call, serving.mesh.clock.wallTime());
    const { stream, session, metadata } = intercepted;
    const headers = headersOf(method.path, intercepted);
    const start = (begin: () => void) => {
      const place: CallPlace = {
        serving,
        kindOf: () => kindOf(method.requestStream, method.responseStream),
        dispatch(_stream, shown) {
          show(metadata, headers, shown);
          // Its listeners are older than the scope of the call: from here on it emits within that.
          stream.on("close", () => {});
          begin();
        },
        finish: () => session.close(),
      };
      serveCall(place, { stream, headers, rawHeaders: [], connection: connections.of(session) });
    };
    return new ServerInterceptingCall(call, { start: (next) => start(() => next()) });
  };
}

function kindOf(requestStream: boolean, responseStream: boolean): RpcKind {
  if (requestStream) return responseStream ? "bidi-stream" : "client-stream";
  return responseStream ? "server-stream" : "unary";
}

/** As they came, as far as grpc-js tells: several fields of a name are one text. */
function headersOf(path: string, { metadata, host, leftMs }: InterceptedCall): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = { ":method": "POST", ":path": path, ":authority": host, "content-type": "application/grpc" };
  if (leftMs !== Number.POSITIVE_INFINITY) headers["grpc-timeout"] = `${Math.min(99_999_999, Math.max(0, Math.ceil(leftMs)))}m`;
  for (const [name, values] of Object.entries(metadata.toHttp2Headers()))
    headers[name] = Array.isArray(values) ? values.join(", ") : `${values}`;
  return headers;
}

/** Gives the metadata what the layers made of the headers. */
function show(metadata: Metadata, came: IncomingHttpHeaders, shown: IncomingHttpHeaders): void {
  if (shown === came) return;
  for (const name of new Set([...Object.keys(came), ...Object.keys(shown)])) {
    const value = shown[name];
    if (name.startsWith(":") || NEVER_METADATA.has(name) || value === came[name]) continue;
    metadata.remove(name);
    for (const one of [value ?? []].flat()) metadata.add(name, name.endsWith("-bin") ? Buffer.from(one, "base64") : one);
  }
}

const NEVER_METADATA: ReadonlySet<string> = new Set(["content-type", "grpc-timeout"]);
