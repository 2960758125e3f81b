import type { IncomingMessage, ServerResponse } from "node:http";
import { fetchRequest } from "./fetch-request.ts";
import { sendResponse } from "./fetch-response.ts";
import { answerFailure } from "./node-request.ts";
import type { ServingMesh } from "./node-serving.ts";

/** The second argument of a fetch handler: what the request came in with. Hono has it as `c.env`. */
export interface FetchConnection {
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
}

/** A Hono app, or anything else that answers a Request with a Response. */
export interface FetchHandler {
  fetch(request: Request, connection: FetchConnection): Response | Promise<Response>;
}

/**
 * Serves a fetch handler over node:http. One that throws, or whose body breaks, gives its caller 500, or a cut connection once the
 * head is out, and is reported as a problem of the mesh: for a fetch handler it is not the end of the process.
 */
export function fetchListener(mesh: ServingMesh, handler: FetchHandler): (message: IncomingMessage, response: ServerResponse) => void {
  const answer = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const request = fetchRequest(message, response);
    if (request === null) {
      response.writeHead(400, { "content-length": "0" }).end();
      return;
    }
    try {
      await sendResponse(await handler.fetch(request, { incoming: message, outgoing: response }), response);
    } catch (error) {
      // Whoever reads the body or heeds the signal of a caller that left fails with that.
      if (!response.destroyed) report(mesh, message, error);
      answerFailure(response);
    }
  };
  return (message, response) => void answer(message, response);
}

function report(mesh: ServingMesh, message: IncomingMessage, error: unknown): void {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  mesh.reportProblem({ where: "fetch handler", message: `${message.method} ${message.url?.split("?", 1)[0]}: ${what}`, severity: "error" });
}
