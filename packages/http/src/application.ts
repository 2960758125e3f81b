import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { type FetchHandler, fetchListener } from "./fetch-handler.ts";
import { answerFailure } from "./node-request.ts";
import type { ServingMesh } from "./node-serving.ts";

/** A node:http request listener; an Express app is one, and so is Koa's `app.callback()`. */
export type Application = (request: IncomingMessage, response: ServerResponse) => unknown;

/** What the mesh uses of a Fastify instance. */
export interface FastifyApp {
  readonly server: object;
  readonly routing: unknown;
  readonly initialConfig?: object;
  ready(): PromiseLike<unknown>;
  listen(options: { readonly port: number; readonly host: string }): Promise<unknown>;
  close(): PromiseLike<unknown>;
}

/** What `listen` serves. */
export type Servable = Application | FetchHandler | FastifyApp;

export function isFastify(application: unknown): application is FastifyApp {
  return (
    typeof application === "object" && application !== null && "routing" in application && "server" in application && "ready" in application
  );
}

/** Throws TypeError for what is neither. */
export function requestListener(mesh: ServingMesh, application: Application | FetchHandler): RequestListener {
  if (typeof application === "function") return nodeListener(application);
  if (isFetchHandler(application)) return fetchListener(mesh, application);
  throw new TypeError(unsupported(application));
}

/** As node:http calls it; where it returns a promise that rejects, the caller gets 500 and the rejection stays unhandled, as in node:http. */
function nodeListener(application: Application): RequestListener {
  return (request, response) => {
    const running = application(request, response);
    if (typeof running !== "object" || running === null || !("then" in running)) return;
    void Promise.resolve(running).catch((error: unknown) => {
      answerFailure(response);
      throw error;
    });
  };
}

function isFetchHandler(application: unknown): application is FetchHandler {
  return typeof application === "object" && application !== null && "fetch" in application && typeof application.fetch === "function";
}

function unsupported(application: unknown): string {
  const expected = "pass an Express app, a Fastify instance, a { fetch } handler, or a node:http listener (request, response) => void";
  if (typeof application !== "object" || application === null) return `listen: ${String(application)} is not an application; ${expected}`;
  if ("callback" in application) return "listen: pass the listener that this app makes: listen(app.callback())";
  if ("bindAsync" in application) return `listen: gRPC servers are not supported yet; ${expected}`;
  if ("listen" in application) return "listen: this is a server already; use attach";
  return `listen: this object is not an application; ${expected}`;
}
