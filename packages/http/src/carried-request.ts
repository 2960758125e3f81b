import type { Agent, ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import {
  type BodySource,
  type Carrier,
  type Channel,
  type HeaderMap,
  type Mesh,
  MeshError,
  type MeshRequest,
  type MeshResponse,
  PushBody,
  type Route,
} from "@heddle/core";
import { type AgentInternals, EndpointAgent, giveNoSocket } from "./endpoint-agent.ts";
import { failureOfHandshake } from "./tls-failure.ts";

/** What the stack adds to a request on its way, and node:http's client is still told: it has not rendered its head. */
const ADDED = ["traceparent", "tracestate", "baggage", "x-envoy-expected-rq-timeout-ms", "x-envoy-attempt-count"];

/**
 * A request that node:http's client writes itself, on a connection of the endpoint that was picked for it. What it tells the stack is
 * what it can see: the head, when the exchange is over, and whether the connection or the caller ended it.
 */
export class CarriedRequest implements Carrier, BodySource {
  /** It was given to an endpoint, and so hears of failures from node:http itself. */
  wasSent = false;
  readonly #mesh: Mesh;
  readonly #client: ClientRequest;
  readonly #options: object;
  readonly #routed: (route: Route) => void;
  #agent: Agent | null = null;
  #request: MeshRequest | null = null;
  #socket: Socket | null = null;
  #bytesReadBefore = 0;
  #message: IncomingMessage | null = null;
  #pipe: Duplex | null = null;
  #body: PushBody | null = null;
  #isSettled = false;
  #resolve: (response: MeshResponse) => void = () => {};
  #reject: (error: unknown) => void = () => {};

  constructor(mesh: Mesh, client: ClientRequest, options: object, routed: (route: Route) => void) {
    this.#mesh = mesh;
    this.#client = client;
    this.#options = options;
    this.#routed = routed;
  }

  /** Node tells a request that was given up before it had a connection nothing until it has one; from now on it is told at once. */
  followCaller(request: MeshRequest): void {
    const client = this.#client;
    const { destroy } = client;
    client.destroy = (error?: Error) => {
      Reflect.apply(destroy, client, [error]);
      if (this.#socket === null && !this.#isSettled) request.context.cancel.cancel(error ?? givenUp());
      return client;
    };
  }

  routed(route: Route): void {
    this.#routed(route);
  }

  send(channel: Channel, request: MeshRequest): Promise<MeshResponse> {
    if (!channel.agent) return Promise.reject(notInHttp1(request.authority));
    return this.sendThrough(channel.agent(request.authority), request);
  }

  sendThrough(agent: Agent, request: MeshRequest): Promise<MeshResponse> {
    this.#agent = agent;
    this.#request = request;
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    this.wasSent = true;
    tellAdded(this.#client, request.headers);
    this.#watch(request);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      (agent as unknown as AgentInternals).addRequest(this.#client, this.#options);
    });
  }

  // The source of a body that node:http reads itself

  pause(): void {}

  resume(): void {}

  abort(reason: unknown): void {
    this.#client.destroy(reason instanceof Error ? reason : undefined);
  }

  /** Takes the request's place as the one who emits: a listener of ours would change what Node does for requests without any. */
  #watch(request: MeshRequest): void {
    const client = this.#client;
    const { emit } = client;
    const onCancel = (reason: unknown) => this.#stop(reason);
    request.cancel.onCancel(onCancel);
    client.emit = (event: string | symbol, ...values: unknown[]): boolean => {
      this.#hear(event, values);
      if (event === "close" && this.#pipe === null) request.cancel.offCancel(onCancel);
      return Reflect.apply(emit, client, [event, ...values]) as boolean;
    };
  }

  #hear(event: string | symbol, values: readonly unknown[]): void {
    switch (event) {
      case "socket":
        this.#connected(values[0] as Socket);
        break;
      case "response":
        this.#message = values[0] as IncomingMessage;
        this.#answer(this.#message, null);
        break;
      case "upgrade":
      case "connect":
        // Node cuts the connection where nobody takes it.
        if (this.#client.listenerCount(event) > 0) this.#switched(values[0] as IncomingMessage, values[1] as Duplex);
        break;
      case "error":
        this.#failed(values[0] as Error);
        break;
      case "close":
        this.#over();
        break;
    }
  }

  #connected(socket: Socket): void {
    this.#socket = socket;
    this.#bytesReadBefore = socket.bytesRead;
    const attempt = this.#request?.attempt;
    if (!attempt) return;
    if (this.#agent instanceof EndpointAgent) attempt.connection = this.#agent.numberOf(socket);
    attempt.reusedConnection = this.#client.reusedSocket;
    attempt.wasSent = true;
  }

  #switched(message: IncomingMessage, socket: Duplex): void {
    this.#pipe = socket;
    socket.once("close", () => this.#body?.end(null));
    this.#answer(message, socket);
  }

  #answer(message: IncomingMessage, socket: Duplex | null): void {
    const request = this.#request as MeshRequest;
    this.#body = new PushBody(this);
    this.#mesh.remember(message, request.context);
    const response = { status: message.statusCode ?? 0, headers: message.headers as HeaderMap, body: this.#body };
    this.#resolve(socket === null ? response : { ...response, socket });
  }

  #failed(error: Error): void {
    const { context, method, authority, attempt } = this.#request as MeshRequest;
    this.#mesh.remember(error, context);
    if (error instanceof MeshError) this.#settle(error);
    else if (isOfTheConnection(this.#socket, error)) {
      const failure = connectionFailure(this.#socket, error, `${method} http://${authority}`, attempt?.endpoint ?? authority);
      error.cause ??= failure;
      // Before node:http takes the end of the connection for that of a body without a length.
      if (this.#message?.complete === false) this.#message.destroy(failure);
      this.#settle(failure);
    } else this.#settle(this.#gaveUp());
  }

  /** The request is closed: complete, or cut short in silence. */
  #over(): void {
    if (this.#pipe !== null || this.#isSettled) return;
    if (this.#message?.complete) this.#body?.end(null);
    else if (isOfTheConnection(this.#socket, null)) {
      this.#settle(new MeshError("connection_reset", `${this.#request?.authority}: the connection broke before the answer was complete`));
    } else this.#settle(this.#gaveUp());
  }

  /** Before it is told, so that the exchange counts as cancelled and not as failed. */
  #gaveUp(): unknown {
    const cancel = this.#request?.context.cancel;
    cancel?.cancel(givenUp());
    return cancel?.reason;
  }

  #settle(failure: unknown): void {
    this.#isSettled = true;
    const attempt = this.#request?.attempt;
    // As the channel narrows it: what has answered a byte did not die idle.
    if (attempt?.reusedConnection && this.#socket?.bytesRead !== this.#bytesReadBefore) attempt.reusedConnection = false;
    if (this.#body) this.#body.fail(failure);
    else this.#reject(failure);
  }

  #stop(reason: unknown): void {
    // The same: who reads the body is to be told.
    if (this.#message?.complete === false) this.#message.destroy(reason instanceof Error ? reason : undefined);
    this.#client.destroy(reason instanceof Error ? reason : undefined);
    if (this.#pipe) this.#pipe.destroy(reason instanceof Error ? reason : undefined);
    if (this.#socket === null && this.#agent instanceof EndpointAgent) {
      this.#agent.drop(this.#client);
      giveUp(this.#client, reason);
    }
    this.#settle(reason);
  }
}

function notInHttp1(authority: string): MeshError {
  const message = `${authority}: node:http's client (mesh.agent(), axios, got) writes HTTP/1.1 alone, and this service is not called in it; call it with fetch, undici or mesh.request, or give it protocol: http1`;
  return new MeshError("invalid_config", message);
}

function givenUp(): DOMException {
  return new DOMException("the request was given up by its caller", "AbortError");
}

/** Tells a request that has no connection yet that it will not get one. */
export function giveUp(client: ClientRequest, reason: unknown): void {
  const error = reason instanceof Error ? reason : new Error(String(reason), { cause: reason });
  client.destroy(error);
  giveNoSocket(client, error);
}

function tellAdded(client: ClientRequest, headers: HeaderMap): void {
  if (client.headersSent) return;
  for (const name of ADDED) {
    const value = headers[name];
    if (value !== undefined && client.getHeader(name) === undefined) client.setHeader(name, value);
  }
}

/** The connection ended it, and not the caller, who destroys with an error of his own or none. */
function isOfTheConnection(socket: Duplex | null, error: Error | null): boolean {
  // An alert of TLS is not the end of the connection yet.
  if (error !== null && (isNotTheProtocol(error) || "library" in error)) return true;
  if (socket === null) return false;
  const cause = socket.errored;
  // The system's errors have a `syscall`, those of OpenSSL a `library`.
  return cause === null ? socket.readableEnded : "syscall" in cause || "library" in cause;
}

function connectionFailure(socket: Socket | null, error: Error, what: string, endpoint: string): MeshError {
  const options = { cause: error };
  const refused = failureOfHandshake(socket, error, true);
  if (refused?.kind === "connect-failure")
    return new MeshError("connect_failed", `${what}: could not connect to ${endpoint}: ${refused.message}`, options);
  if (refused === null && isNotTheProtocol(error))
    return new MeshError("protocol_error", `${what}: not understood: answer of ${endpoint}: ${error.message}`, options);
  return new MeshError("connection_reset", `${what}: connection broken by ${endpoint}: ${(refused ?? error).message}`, options);
}

/** The parser of node:http. */
function isNotTheProtocol(error: Error): boolean {
  return "code" in error && `${error.code}`.startsWith("HPE_");
}
