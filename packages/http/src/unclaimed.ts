import { type Handler, type Mesh, type MeshRequest, type MeshResponse, unclaimedStack } from "@heddle/core";
import type { Dispatcher } from "undici";
import { Exchange } from "./exchange.ts";
import type { Failures } from "./front-door.ts";
import { globalDispatcher } from "./global-dispatcher.ts";
import { sendableBody } from "./sendable-body.ts";

export interface OutboundOptions {
  /** Who serves the hosts that no service claims. Default: the global dispatcher at this moment, so that proxies and mocks of the process keep working. */
  readonly unclaimed?: Dispatcher;
  /** `response`: failures of the mesh are answers, with the status that a proxy would give and their code in `x-heddle-error`. Default: `reject`. */
  readonly failures?: Failures;
}

/** The way of unclaimed hosts: a deadline and a span, and nothing else of the mesh. Errors stay what the dispatcher made them. */
export function unclaimedHandler(mesh: Mesh, options: OutboundOptions): Handler {
  const dispatcher = options.unclaimed ?? globalDispatcher();
  const send = (request: MeshRequest): Promise<MeshResponse> =>
    new Promise<MeshResponse>((resolve, reject) => {
      const exchange = new DirectExchange(request, resolve, reject);
      dispatcher.dispatch(
        {
          origin: `${request.scheme}://${request.authority}`,
          path: request.path,
          method: request.method,
          headers: request.headers as Dispatcher.DispatchOptions["headers"],
          body: sendableBody(request.body, exchange) as Dispatcher.DispatchOptions["body"],
        } as Dispatcher.DispatchOptions,
        exchange as Dispatcher.DispatchHandler,
      );
    });
  return outside(mesh, (request) => {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    return send(request).then((response) => {
      response.body.guard(mesh.deadlines);
      return response;
    });
  });
}

/** What the mesh does for hosts that no service claims, around whoever sends to them. */
export function outside(mesh: Mesh, send: Handler): Handler {
  const { clock, deadlines } = mesh;
  const warn = (message: string) => mesh.reportProblem({ where: "telemetry", message, severity: "warning" });
  return unclaimedStack(send, { clock, deadlines, warn });
}

class DirectExchange extends Exchange {
  protected override failure(error: unknown): unknown {
    return error;
  }
}
