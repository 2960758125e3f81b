import type { CallOptions, Mesh, RequestContext } from "@heddle/core";
import { type Dispatcher, Request as UndiciRequest, fetch as undiciFetch } from "undici";
import { checkCallOptions } from "./call-options.ts";
import { MeshDispatcher } from "./dispatcher.ts";
import { undiciForm } from "./request-body.ts";
import type { OutboundOptions } from "./unclaimed.ts";

export interface FetchOptions extends RequestInit {
  /** For this call alone; narrows what the document allows. */
  readonly mesh?: CallOptions;
}

/** WHATWG fetch, and what the mesh should do for one call beside it. */
export type FetchFunction = (input: string | URL | Request, init?: FetchOptions) => Promise<Response>;

type UndiciInput = Parameters<typeof undiciFetch>[0];
type UndiciInit = NonNullable<Parameters<typeof undiciFetch>[1]>;

/** A fetch bound to this mesh, which can be passed on alone. Give `dispatcher` where there is one already. */
export function meshFetch(mesh: Mesh, outbound: OutboundOptions | MeshDispatcher = {}): FetchFunction {
  const dispatcher = outbound instanceof MeshDispatcher ? outbound : new MeshDispatcher(mesh, outbound);
  return async (input, init) => {
    checkCallOptions(init?.mesh);
    const bound = new BoundDispatcher(dispatcher, init?.mesh);
    const options = { ...fromForeign(input), ...(init as UndiciInit | undefined), dispatcher: bound as unknown as Dispatcher };
    if (options.body instanceof FormData) options.body = undiciForm(options.body);
    const response = (await undiciFetch(isForeign(input) ? input.url : (input as UndiciInput), options)) as unknown as Response;
    const { context } = bound;
    if (context) mesh.remember(response, context);
    // undici keeps what a fetch went through until the next full garbage collection.
    bound.context = null;
    return response;
  };
}

/** One call's dispatcher: fetch takes no options of ours, but a dispatcher per call. */
class BoundDispatcher {
  /** Of the last request; a redirect is another one. */
  context: RequestContext | null = null;
  readonly #dispatcher: MeshDispatcher;
  readonly #callOptions: CallOptions | undefined;

  constructor(dispatcher: MeshDispatcher, callOptions: CallOptions | undefined) {
    this.#dispatcher = dispatcher;
    this.#callOptions = callOptions;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.#dispatcher.dispatchCall(options, handler, this.#callOptions, (context) => {
      this.context = context;
    });
  }
}

/** A Request of Node's own fetch, or of another copy of undici, which this copy does not know. */
function isForeign(input: unknown): input is Request {
  return typeof input === "object" && input !== null && !(input instanceof URL) && !(input instanceof UndiciRequest) && "url" in input;
}

function fromForeign(input: unknown): UndiciInit {
  if (!isForeign(input)) return {};
  const { method, headers, body, redirect, signal, credentials, integrity, cache } = input;
  const copied = { method, headers, redirect, signal, credentials, integrity, cache } as unknown as UndiciInit;
  return body ? { ...copied, body: body as unknown as NonNullable<UndiciInit["body"]>, duplex: "half" } : copied;
}
