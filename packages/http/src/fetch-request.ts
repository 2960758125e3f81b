import type { IncomingMessage, ServerResponse } from "node:http";
import { inboundOf } from "./node-serving.ts";
import { requestScheme, requestTarget } from "./node-target.ts";

// What would end the authority in a URL: the path that the application sees must be the one that was let in.
const NOT_AN_AUTHORITY = /[\s/?#@\\]/;

/** The request as fetch handlers get it: its body streams, its signal aborts as `req.mesh.signal` does. Null where it is not one that fetch can express. */
export function fetchRequest(message: IncomingMessage, response: ServerResponse): Request | null {
  const { authority, path } = requestTarget(message);
  if (NOT_AN_AUTHORITY.test(authority)) return null;
  const url = `${requestScheme(message)}://${authority || "localhost"}${path.startsWith("/") ? path : `/${path}`}`;
  const signal = inboundOf(message)?.signal ?? null;
  const init = { method: message.method ?? "GET", headers: fetchHeaders(message.rawHeaders), signal };
  try {
    return hasBody(message) ? new Request(url, { ...init, body: bodyStream(message, response), duplex: "half" }) : new Request(url, init);
  } catch {
    // A malformed host or header, or a method that fetch forbids (TRACE).
    return null;
  }
}

function fetchHeaders(raw: readonly string[]): [string, string][] {
  const headers: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) headers.push([raw[index] ?? "", raw[index + 1] ?? ""]);
  return headers;
}

function hasBody({ method, headers }: IncomingMessage): boolean {
  if (method === "GET" || method === "HEAD") return false;
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}

/**
 * Touches the message only when it is read, a chunk at a time: Node throws away a body that nobody began to read. One that somebody
 * did is thrown away here once the response is out, or the connection could carry no further request.
 */
function bodyStream(message: IncomingMessage, response: ServerResponse): ReadableStream<Uint8Array> {
  let isOver = false;
  let isWatched = false;
  const ignoreRest = () => {
    isOver = true;
    message.removeAllListeners("data");
    message.resume();
  };
  const watch = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    isWatched = true;
    const over = (settle: () => void) => () => {
      if (!isOver) settle();
      isOver = true;
    };
    message.on("data", (chunk: Uint8Array) => {
      if (isOver) return;
      controller.enqueue(chunk);
      message.pause();
    });
    message.once(
      "end",
      over(() => controller.close()),
    );
    message.once("error", (error) => over(() => controller.error(error))());
    message.once(
      "close",
      over(() => controller.error(new DOMException("the caller left before its request was complete", "AbortError"))),
    );
    response.once("finish", ignoreRest);
  };
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (!isWatched) watch(controller);
        message.resume();
      },
      cancel: ignoreRest,
    },
    { highWaterMark: 0 },
  );
}
