import { deadline, type Handler, type Mesh, MeshError, type MeshRequest, type MeshResponse } from "@heddle/core";
import { type Dispatcher, getGlobalDispatcher } from "undici";
import { Exchange } from "./exchange.ts";
import { sendableBody } from "./sendable-body.ts";

/** Who serves the hosts that no service claims. */
export interface OutboundOptions {
  /** Default: undici's global dispatcher at this moment, so that proxies and mocks of the process keep working. */
  readonly unclaimed?: Dispatcher;
}

/** Throws `unknown_service` unless hosts that no service claims may be called. */
export function assertEgress(mesh: Mesh, authority: string): void {
  if (mesh.egress === "allow") return;
  throw new MeshError("unknown_service", `no service claims ${authority}, and mesh.egress is deny`);
}

/** The way of unclaimed hosts: their deadline, and nothing else of the mesh. Errors stay what the dispatcher made them. */
export function unclaimedHandler(mesh: Mesh, options: OutboundOptions): Handler {
  const dispatcher = options.unclaimed ?? getGlobalDispatcher();
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
