import type { RequestListener } from "node:http";
import { type InjectOptions, inject } from "light-my-request";
import type { AnswerFunction, ReceivedRequest } from "./answer.ts";

/** What of a Fastify instance is needed to run it without a socket. */
export interface FastifyLike {
  ready(): PromiseLike<unknown>;
  readonly routing: RequestListener;
}

/** Tells applications and listeners, which take `(req, res)`, from answers and functions of the request. */
export function isApp(value: unknown): value is RequestListener | FastifyLike {
  if (typeof value === "function") return value.length >= 2;
  return typeof value === "object" && value !== null && typeof (value as { routing?: unknown }).routing === "function";
}

/** Answers with what an application answers. Its `date` header is the virtual clock's, so that runs are the same. */
export function answerFromApp(app: RequestListener | FastifyLike, wallTime: () => number): AnswerFunction {
  return async (request) => {
    if (typeof app !== "function") await app.ready();
    const listener = typeof app === "function" ? app : app.routing;
    const response = await inject(listener, injection(request));
    const headers = response.headers as Record<string, string | string[]>;
    if (headers.date !== undefined) headers.date = new Date(wallTime()).toUTCString();
    // Framing belongs to the connection, which here is none.
    delete headers["transfer-encoding"];
    delete headers.connection;
    const stream = response.stream();
    return {
      status: response.statusCode,
      headers,
      body: stream,
      get trailers() {
        return response.trailers;
      },
    };
  };
}

function injection(request: ReceivedRequest): InjectOptions {
  const headers = { ...request.headers, host: request.authority } as Record<string, string | string[]>;
  return {
    method: request.method,
    url: request.path,
    authority: request.authority,
    headers,
    ...(request.body.length > 0 ? { payload: Buffer.from(request.body) } : {}),
    payloadAsStream: true,
    signal: request.signal,
    validate: false,
  };
}
