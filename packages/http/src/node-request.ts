import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type HeaderMap,
  type InboundConnection,
  type InboundRequestContext,
  type MeshRequest,
  type MeshResponse,
  PushBody,
  requestName,
  startInbound,
} from "@heddle/core";
import { ENDS_SOON_MS } from "./admitted-connections.ts";
import { ERROR_HEADER } from "./front-door.ts";
import { type HeadersInput, headerMap } from "./header-map.ts";
import { bindListeners } from "./node-context.ts";
import { type Routing, showDerived } from "./node-derived.ts";
import { tellDraining } from "./node-drain.ts";
import { writeResponse } from "./node-response.ts";
import { tellRetried } from "./node-retried.ts";
import { markServed, type Serving, type ServingMesh } from "./node-serving.ts";
import { requestScheme, requestTarget } from "./node-target.ts";
import { receivedHeaders } from "./received-headers.ts";

export interface ServeOptions {
  /** Called before an answer is written in place of an application that was not called. */
  readonly refusing?: () => void;
  /** `decided`: the framework has chosen its route, so that a request whose path a layer changed has to be refused. Default `before`. */
  readonly routing?: Routing;
}

/**
 * Runs the inbound stack around `application`, which answers by writing to `response`. It is called at most once, in the scope of the
 * request, and not at all where a layer refuses. If it throws, the caller gets 500 and the error surfaces as uncaught, as in node:http.
 * It finds the message as the layers gave it on.
 */
export function serveRequest(
  serving: Serving,
  message: IncomingMessage,
  response: ServerResponse,
  application: () => void,
  { refusing = () => {}, routing = "before" }: ServeOptions = {},
): void {
  const { mesh } = serving;
  const answer = new ApplicationAnswer(response);
  const barred = serving.guard(message.socket);
  const connection = serving.connections.of(message.socket);
  const { request, inbound } = startInbound(mesh, {
    method: message.method ?? "GET",
    scheme: requestScheme(message),
    ...requestTarget(message),
    headers: receivedHeaders(message),
    connection,
    app: (called) => {
      if (barred) throw barred;
      showDerived(message, request, called, routing);
      return answer.start(message, called, application);
    },
    route: () => serving.routes.of(message),
  });
  markServed(message, mesh, inbound);
  const entered = serving.enter(response);
  // It has no turn on the connection yet.
  if (response.socket === null) serving.queued.add(message.socket, response);
  watchHead(response, { serving, inbound, connection }, (headers) => answer.head(request, inbound.route, headers));
  response.on("close", () => {
    serving.leave(entered);
    if (!response.writableFinished) request.cancel.cancel(callerLeft());
    answer.close(request.cancel.reason);
  });
  mesh.inbound(request).then(
    (refusal) => {
      if (!answer.wasAsked) refusing();
      if (answer.hasHead || response.destroyed) return;
      // A connection that would have to be another one has no use for a next request.
      if (refusal.headers[ERROR_HEADER] === "mtls_required") response.setHeader("connection", "close");
      writeResponse(refusal, response);
    },
    (error: unknown) => {
      if (!answer.wasAsked) refusing();
      if (!answer.wasAsked && !request.cancel.isCancelled) reportFailure(mesh, request, error);
      answerFailure(response);
    },
  );
}

/** What a layer rejects with, other than a refusal, would be seen by nobody. */
export function reportFailure(mesh: ServingMesh, request: MeshRequest, error: unknown): void {
  const message = `serving ${requestName(request)}: a layer failed: ${error instanceof Error ? error.message : String(error)}`;
  mesh.reportProblem({ where: "inbound layers", message, severity: "error" });
}

/** What the application sends, as the stack sees it: status and headers from the head on, and a body that ends when its last byte was sent. */
class ApplicationAnswer implements MeshResponse {
  readonly body: PushBody = new PushBody(null);
  status = 0;
  hasHead = false;
  /** The application was called. */
  wasAsked = false;
  readonly #response: ServerResponse;
  #writtenHeaders: WrittenHeaders = null;
  #resolve: ((answer: MeshResponse) => void) | null = null;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get headers(): HeaderMap {
    const headers = headerMap(this.#writtenHeaders);
    for (const [name, value] of Object.entries(this.#response.getHeaders()))
      if (value !== undefined) headers[name] = typeof value === "object" ? [...value] : `${value}`;
    return headers;
  }

  start(message: IncomingMessage, request: MeshRequest, application: () => void): Promise<MeshResponse> {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    this.wasAsked = true;
    const isOver = () => this.#response.writableFinished;
    bindListeners(message, isOver);
    bindListeners(this.#response, isOver);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      request.cancel.onCancel(reject);
      try {
        application();
      } catch (error) {
        if (this.hasHead) this.body.fail(error);
        answerFailure(this.#response);
        // Nobody above could do anything about it but die or log, and that is the process's own choice.
        queueMicrotask(() => {
          throw error;
        });
      }
    });
  }

  /** `writtenHeaders`: those given to writeHead, which Node does not keep. */
  head(request: MeshRequest, route: string | undefined, writtenHeaders: WrittenHeaders): void {
    if (this.#resolve === null || this.hasHead) return;
    this.#writtenHeaders = writtenHeaders;
    this.hasHead = true;
    this.status = this.#response.statusCode;
    if (route !== undefined) request.context.route = route;
    this.#resolve(this);
  }

  close(reason: unknown): void {
    if (reason === undefined) this.body.end(null);
    else this.body.fail(reason);
  }
}

type WrittenHeaders = HeadersInput | readonly unknown[] | null;

function watchHead(
  response: ServerResponse,
  {
    serving,
    inbound,
    connection,
  }: { readonly serving: Serving; readonly inbound: InboundRequestContext; readonly connection: InboundConnection },
  onHead: (writtenHeaders: WrittenHeaders) => void,
): void {
  const writeHead = response.writeHead;
  const watched = (...head: unknown[]): ServerResponse => {
    if (!response.headersSent) {
      if (serving.isDraining) tellDraining(response);
      // Who proved what is believed no longer, or is about to be, has to come again and prove itself.
      else if (connection.isCurrent?.(ENDS_SOON_MS) === false) response.setHeader("connection", "close");
      tellRetried(response, Number(head[0]), inbound);
    }
    Reflect.apply(writeHead, response, head);
    const headers = head.at(-1);
    onHead(typeof headers === "object" ? (headers as WrittenHeaders) : null);
    return response;
  };
  response.writeHead = watched;
}

/**
 * Answers 500 for an application that failed; cuts the connection if the head is out. Where the caller has left nothing is written:
 * the application may still be at work, and what it writes later must go nowhere without an error, as in node:http.
 */
export function answerFailure(response: ServerResponse): void {
  if (response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  response.setHeader("content-length", "0");
  response.writeHead(500);
  response.end();
}

export function callerLeft(): DOMException {
  return new DOMException("the caller left before the response was complete", "AbortError");
}
