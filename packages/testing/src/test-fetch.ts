import type { CallOptions, HeaderMap, Mesh, PushBody, RequestBody } from "@heddle/core";
import { type CallObserver, send, type TestCall } from "./test-call.ts";

/** What `fetch` takes, and the options of the mesh for this call. */
export interface TestFetchInit extends RequestInit {
  readonly mesh?: CallOptions;
}

/** WHATWG fetch through the mesh. Redirects are not followed. */
export type TestFetch = (input: string | URL | Request, init?: TestFetchInit) => Promise<Response>;

const NULL_BODY_STATUSES: readonly number[] = [101, 103, 204, 205, 304];

/** As fetch does, it rejects with `TypeError("fetch failed")` whose cause says why, and with the reason of a signal as it is. */
export function testFetch(mesh: Mesh, observe: CallObserver): TestFetch {
  return async (input, init) => {
    const call = fetchCall(input, init);
    try {
      const { response, context } = await send(mesh, call, observe);
      const { status, headers, body } = response;
      const fetched = new Response(NULL_BODY_STATUSES.includes(status) ? null : bodyStream(body), {
        status,
        headers: fetchHeaders(headers),
      });
      Object.defineProperty(fetched, "url", { value: call.url.href });
      mesh.remember(fetched, context);
      return fetched;
    } catch (error) {
      if (call.signal?.aborted && error === call.signal.reason) throw error;
      throw new TypeError("fetch failed", { cause: error });
    }
  };
}

function fetchCall(input: string | URL | Request, init: TestFetchInit = {}): TestCall {
  const { mesh: options = {}, ...standard } = init;
  const request = new Request(input, { duplex: "half", ...standard } as RequestInit);
  return {
    method: request.method,
    url: new URL(request.url),
    headers: headerMap(request.headers),
    body: repeatableBody(standard.body) ?? (request.body as AsyncIterable<Uint8Array> | null),
    signal: standard.signal ?? (input instanceof Request ? input.signal : null),
    options,
  };
}

/** What can be sent again stays so: a Request would make a stream of it. */
function repeatableBody(body: RequestInit["body"]): RequestBody {
  if (typeof body === "string" || body instanceof Uint8Array) return body;
  if (body instanceof URLSearchParams) return body.toString();
  return body instanceof ArrayBuffer ? new Uint8Array(body) : null;
}

function headerMap(headers: Headers): HeaderMap {
  const map = Object.create(null) as HeaderMap;
  for (const [name, value] of headers) if (name !== "set-cookie") map[name] = value;
  return map;
}

function fetchHeaders(headers: HeaderMap): Headers {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) all.append(name, one);
  }
  return all;
}

/** A web stream that reads as fast as it is read. */
export function bodyStream(body: PushBody): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      body.attach({
        data(chunk) {
          controller.enqueue(chunk);
          if ((controller.desiredSize ?? 0) <= 0) body.pause();
        },
        end: () => controller.close(),
        fail: (error) => controller.error(new TypeError("terminated", { cause: error })),
      });
    },
    pull: () => body.resume(),
    cancel: (reason) => body.abandon(reason),
  });
}
