import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type HeaderMap, liftDeadline, type MeshRequest, type MeshResponse, PushBody, startInbound } from "@heddle/core";
import { showDerived } from "./node-derived.ts";
import { nodeHttp } from "./node-http.ts";
import { callerLeft, reportFailure } from "./node-request.ts";
import { markServed, type Serving } from "./node-serving.ts";
import { requestScheme, requestTarget } from "./node-target.ts";
import { receivedHeaders } from "./received-headers.ts";

/**
 * Runs the inbound stack before `application` gets the socket of an upgrade or CONNECT. The exchange lasts until that socket closes;
 * its deadline only until the application answers.
 */
export function serveUpgrade(serving: Serving, message: IncomingMessage, socket: Duplex, application: () => void): void {
  const { mesh } = serving;
  // Node has let go of this socket and the application has not taken it yet: without a listener a reset would end the process.
  socket.on("error", ignoreReset);
  if (hasUnanswered(socket)) {
    socket.destroy();
    return;
  }
  serving.connections.upgraded(socket);
  const answer = new UpgradeAnswer();
  const barred = serving.guard(socket);
  const { request, inbound } = startInbound(mesh, {
    method: message.method ?? "GET",
    scheme: requestScheme(message),
    ...requestTarget(message),
    headers: receivedHeaders(message),
    connection: serving.connections.of(socket),
    app: (called) => {
      if (barred) throw barred;
      showDerived(message, request, called, "before");
      return handOver(called, socket, answer, application);
    },
  });
  markServed(message, mesh, inbound);
  const entered = serving.enter(socket);
  socket.on("close", () => {
    serving.leave(entered);
    if (answer.status === 0) request.cancel.cancel(callerLeft());
    answer.body.end(null);
  });
  mesh.inbound(request).then(
    (response) => {
      if (answer.status === 0) refuseSocket(socket, response);
    },
    (error: unknown) => {
      if (!answer.wasAsked && !request.cancel.isCancelled) reportFailure(mesh, request, error);
      socket.destroy();
    },
  );
}

/**
 * Requests before it on the connection are without an answer. Node hands the socket over all the same and writes their answers into what
 * the upgrade makes of it, where they mean something else to whoever reads.
 */
function hasUnanswered(socket: Duplex & { readonly _httpMessage?: object | null }): boolean {
  return (socket._httpMessage ?? null) !== null;
}

class UpgradeAnswer implements MeshResponse {
  /** The application was called. */
  wasAsked = false;
  /** 0 until the application has answered. */
  status = 0;
  readonly headers: HeaderMap = Object.create(null);
  readonly body: PushBody = new PushBody(null);
}

function handOver(request: MeshRequest, socket: Duplex, answer: UpgradeAnswer, application: () => void): Promise<MeshResponse> {
  if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
  answer.wasAsked = true;
  return new Promise((resolve, reject) => {
    request.cancel.onCancel(reject);
    watchStatus(socket, (status) => {
      liftDeadline(request);
      answer.status = status;
      resolve(answer);
    });
    try {
      application();
    } catch (error) {
      socket.destroy();
      queueMicrotask(() => {
        throw error;
      });
    }
    socket.off("error", ignoreReset);
  });
}

const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})/;

/** Applications answer an upgrade by writing HTTP to the socket: its first bytes hold the status. */
function watchStatus(socket: Duplex, onStatus: (status: number) => void): void {
  const { write, end } = socket;
  const look = (first: unknown) => {
    if (typeof first !== "string" && !(first instanceof Uint8Array)) return;
    socket.write = write;
    socket.end = end;
    const start = typeof first === "string" ? first.slice(0, 16) : Buffer.from(first.subarray(0, 16)).toString("latin1");
    onStatus(Number(STATUS_LINE.exec(start)?.[1] ?? 101));
  };
  socket.write = (...values: unknown[]): boolean => {
    look(values[0]);
    return Reflect.apply(write, socket, values);
  };
  socket.end = (...values: unknown[]): Duplex => {
    look(values[0]);
    return Reflect.apply(end, socket, values);
  };
}

/** Answers on a socket that has left HTTP, and ends it. */
export function refuseSocket(socket: Duplex, response: MeshResponse): void {
  const lines = [`HTTP/1.1 ${response.status} ${nodeHttp.STATUS_CODES[response.status] ?? ""}`, "connection: close"];
  for (const [name, values] of Object.entries(response.headers))
    if (name !== "connection") for (const value of [values ?? []].flat()) lines.push(`${name}: ${value}`);
  socket.once("finish", () => socket.destroy());
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  response.body.attach({
    data: (chunk) => void socket.write(chunk),
    end: () => socket.end(),
    fail: () => socket.destroy(),
  });
}

function ignoreReset(): void {
  // The "close" that follows ends the exchange.
}
