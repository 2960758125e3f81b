import { deadline, type Handler, type Mesh, type MeshRequest, type MeshResponse } from "@heddle/core";
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

/** The way of unclaimed hosts: their deadline, and nothing else of the mesh. Errors stay what the dispatcher made them. */
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
  return deadline(
    null,
    mesh,
  )((request) => {
    if (request.cancel.isCancelled) return Promise.reject(request.cancel.reason);
    return send(request).then((response) => {
      response.body.guard(mesh.deadlines);
      return response;
    });
  });
}

class DirectExchange extends Exchange {
  protected override failure(error: unknown): unknown {
    return error;
  }
}
