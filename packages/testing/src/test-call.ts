import type { CallOptions, HeaderMap, Mesh, MeshResponse, RequestBody, RequestContext } from "@heddle/core";

/** One call, before the mesh has seen it. */
export interface TestCall {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names. */
  readonly headers: HeaderMap;
  readonly body: RequestBody;
  readonly signal: AbortSignal | null;
  readonly options: CallOptions;
}

export interface TestAnswer {
  readonly response: MeshResponse;
  readonly context: RequestContext;
}

/** Told of every call that begins, and of what became of it. */
export type CallObserver = (call: TestCall, context: RequestContext, response: Promise<MeshResponse>) => void;

/** Sends a call through the mesh. Rejects with a MeshError, or with the signal's own reason; a host that no service claims is an error. */
export async function send(mesh: Mesh, call: TestCall, observe: CallObserver): Promise<TestAnswer> {
  const { signal, url } = call;
  if (signal?.aborted) throw signal.reason;
  if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError(`${url.href}: expected an http or https URL`);
  const init = {
    method: call.method,
    scheme: url.protocol === "https:" ? ("https" as const) : ("http" as const),
    authority: url.host,
    path: url.pathname + url.search,
    headers: call.headers,
    body: call.body,
    options: call.options,
  };
  const handler = mesh.virtualHost(url.host);
  const request = mesh.startRequest(init);
  const sent = handler ? handler(request) : mesh.send(init);
  observe(call, request.context, sent);
  const abort = () => request.context.cancel.cancel(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  const forget = () => signal?.removeEventListener("abort", abort);
  try {
    const response = await sent;
    response.body.whenEnd(forget);
    return { response, context: request.context };
  } catch (error) {
    forget();
    throw error;
  }
}
