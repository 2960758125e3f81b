import { ServerCredentials, type ServerInterceptor } from "@grpc/grpc-js";
import { MeshError } from "@heddle/core";
import { Serving, type ServingMesh } from "@heddle/http";
import { BoundConnections } from "./server-bound-connections.ts";
import { meshInterceptor } from "./server-interceptor.ts";

/**
 * For `server.bindAsync(address, credentials, ...)`, where a framework makes and binds the server: mutual TLS or plain text, as the policy
 * says when the server is bound, and the inbound stack around each call of a method that the server has. Throws a MeshError
 * `invalid_config` where mutual TLS is permissive: a server that binds itself speaks either. `mesh.listen` serves both on one port, and
 * sees calls of methods that do not exist.
 */
export function serverCredentials(mesh: ServingMesh): ServerCredentials {
  mesh.assertServing();
  refusePermissive(mesh);
  return new MeshServerCredentials(mesh);
}

class MeshServerCredentials extends ServerCredentials {
  readonly #mesh: ServingMesh;
  readonly #interceptors: readonly ServerInterceptor[];
  #forget: (() => void) | null = null;

  constructor(mesh: ServingMesh) {
    // What decides who may is the interceptor: a peer is verified by the roots of its own trust domain, which Node cannot do.
    super({ requestCert: true, rejectUnauthorized: false });
    this.#mesh = mesh;
    const serving = new Serving(mesh);
    const connections = new BoundConnections(serving);
    this.#interceptors = [meshInterceptor(serving, connections)];
    const close = async () => {
      this.#forget?.();
      connections.finishAll();
      await serving.close();
    };
    mesh.onClose({ drain: () => connections.finishAll(), close, destroy: () => connections.destroyAll() });
  }

  /** Asked when a server is bound, which then speaks that for as long as it listens. */
  override _isSecure(): boolean {
    refusePermissive(this.#mesh);
    return this.#mesh.serverTls.mode() === "strict";
  }

  override _getSecureContextOptions(): ReturnType<ServerCredentials["_getSecureContextOptions"]> {
    try {
      return this.#mesh.serverTls.contextOptions();
    } catch {
      // No certificate that is valid: with null grpc-js drops what connects. The identity's own problem says why.
      return null;
    }
  }

  override _addWatcher(watcher: Parameters<ServerCredentials["_addWatcher"]>[0]): void {
    super._addWatcher(watcher);
    this.#forget ??= this.#mesh.serverTls.onChange(() => this.updateSecureContextOptions(this._getSecureContextOptions()));
  }

  override _removeWatcher(watcher: Parameters<ServerCredentials["_removeWatcher"]>[0]): void {
    super._removeWatcher(watcher);
    if (this.getWatcherCount() > 0) return;
    this.#forget?.();
    this.#forget = null;
  }

  override _getInterceptors(): ServerInterceptor[] {
    return [...this.#interceptors];
  }

  override _equals(other: ServerCredentials): boolean {
    return other === this;
  }
}

function refusePermissive(mesh: ServingMesh): void {
  if (mesh.serverTls.mode() !== "permissive") return;
  throw new MeshError(
    "invalid_config",
    "inbound.mtls is permissive, and a gRPC server that binds its own port takes either mutual TLS or plain text: serve it with mesh.listen(server), or set inbound.mtls to strict or disable",
  );
}
