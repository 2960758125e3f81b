import {
  type CallCredentials,
  type ChannelCredentials,
  type ChannelInterface,
  type ChannelOptions,
  Channel as ConnectedChannel,
  connectivityState,
  type Deadline,
  propagate,
} from "@grpc/grpc-js";
import { type CallOptions, currentScope, durationMs, type Handler, type Mesh, type RpcKind } from "@heddle/core";
import { connectivityOf, watchConnectivity } from "./connectivity.ts";
import { callCredentialsOf, isSecure } from "./grpc-js-credentials.ts";
import type { GrpcCall, ParentCall } from "./grpc-js-types.ts";
import { MeshCall } from "./mesh-call.ts";
import { authorityOfTarget } from "./target.ts";

export interface MeshChannelParts {
  readonly mesh: Mesh;
  /** As the client was given it: the name of a service, one of its hosts, or a target such as `dns:///reviews:9080`. */
  readonly target: string;
  readonly credentials: ChannelCredentials;
  /** Those of the client, which nobody changes. */
  readonly options: ChannelOptions;
  /** A host that no service claims may be called past the mesh, where `mesh.egress` allows. */
  readonly mayLeave: boolean;
}

/** What is known of one call by whoever makes it, beside what grpc-js tells a channel. */
export interface CallKnowledge {
  readonly kind: RpcKind | null;
  readonly options: CallOptions | undefined;
  readonly surface: object | null;
}

const NOTHING: CallKnowledge = { kind: null, options: undefined, surface: null };

/** A channel of grpc-js whose calls are requests of the mesh. It holds no connection: those are the mesh's, shared by all clients. */
export class MeshChannel implements ChannelInterface {
  readonly #parts: MeshChannelParts;
  readonly #authority: string;
  readonly #defaultHost: string;
  readonly #scheme: "http" | "https";
  readonly #credentials: CallCredentials | null;
  /** Connections below are made by what the client's options say of them. */
  readonly #client: ChannelOptions | null;
  readonly #calls = new Set<MeshCall>();
  readonly #watches = new Set<() => void>();
  /** For a host that no service claims; made when one is called. */
  #past: ConnectedChannel | null = null;
  #number = 0;
  #wasConfigured = false;
  #isClosed = false;

  constructor(parts: MeshChannelParts) {
    this.#parts = parts;
    this.#authority = authorityOfTarget(parts.target);
    const { "grpc.default_authority": authority } = parts.options;
    this.#defaultHost = typeof authority === "string" ? authority.toLowerCase() : this.#authority;
    this.#scheme = isSecure(parts.credentials) ? "https" : "http";
    this.#credentials = callCredentialsOf(parts.credentials);
    this.#client = Object.keys(parts.options).length === 0 ? null : parts.options;
  }

  /** The same channel for one call, of which more is known. */
  knowing(knowledge: CallKnowledge): ChannelInterface {
    return new InformedChannel(this, knowledge);
  }

  createCall(
    path: string,
    deadline: Deadline,
    host: string | null | undefined,
    parent: ParentCall | null,
    flags?: number | null,
  ): GrpcCall {
    return this.createInformedCall(path, deadline, host, parent, flags, NOTHING);
  }

  createInformedCall(
    path: string,
    given: Deadline,
    host: string | null | undefined,
    parent: ParentCall | null,
    flags: number | null | undefined,
    { kind, options, surface }: CallKnowledge,
  ): GrpcCall {
    if (this.#isClosed) throw new Error("Channel has been shut down");
    const { mesh, target } = this.#parts;
    const propagateFlags = flags ?? propagate.DEFAULTS;
    const inherits = parent !== null && (propagateFlags & propagate.DEADLINE) !== 0;
    const deadline = Math.min(epochOf(given), inherits ? epochOf(parent.getDeadline()) : Number.POSITIVE_INFINITY);
    const way = this.#way();
    if (way === null) return this.#callPast(path, deadline, host, parent, flags, options);
    const call = new MeshCall({
      mesh,
      way,
      scheme: this.#scheme,
      authority: host ? host.toLowerCase() : this.#defaultHost,
      path,
      kind,
      options,
      client: this.#client,
      deadline,
      parent,
      propagateFlags,
      number: ++this.#number,
      target,
      surface,
      credentials: this.#credentials,
      whenOver: this.#callOver,
    });
    this.#calls.add(call);
    return call;
  }

  getTarget(): string {
    return this.#parts.target;
  }

  /** READY while there is an endpoint that calls may go to. Nothing is connected by asking: the first call does that. */
  getConnectivityState(tryToConnect: boolean): connectivityState {
    if (this.#isClosed) return connectivityState.SHUTDOWN;
    if (this.#way() === null) return this.#channelPast().getConnectivityState(tryToConnect);
    return connectivityOf(this.#parts.mesh, this.#authority);
  }

  watchConnectivityState(currentState: connectivityState, deadline: Date | number, callback: (error?: Error) => void): void {
    if (this.#isClosed) throw new Error("Channel has been shut down");
    const stop = watchConnectivity(
      this.#parts.mesh,
      () => this.getConnectivityState(false),
      currentState,
      epochOf(deadline),
      (error) => {
        this.#watches.delete(stop);
        callback(error);
      },
    );
    this.#watches.add(stop);
  }

  getChannelzRef(): ReturnType<ChannelInterface["getChannelzRef"]> {
    // Registered nowhere: what channelz would show is what the mesh's own inspect() does.
    return { kind: "channel", id: -1, name: this.#parts.target } as unknown as ReturnType<ChannelInterface["getChannelzRef"]>;
  }

  /** Takes no new calls; those that have not left end with UNAVAILABLE, those that have go on. The mesh and its connections stay. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#watches) stop();
    this.#watches.clear();
    for (const call of [...this.#calls]) call.clientClosed();
    this.#past?.close();
  }

  readonly #callOver = (call: MeshCall): void => {
    this.#calls.delete(call);
  };

  /** null: the host is nobody's, and what is nobody's may leave. */
  #way(): Handler | null {
    const { mesh, mayLeave } = this.#parts;
    const claimed = mesh.virtualHost(this.#authority);
    if (claimed !== null) return claimed;
    if (mayLeave && mesh.egress === "allow" && this.#isConfigured()) return null;
    const error = mesh.unknownService(this.#authority);
    return () => Promise.reject(error);
  }

  /** Before any source has spoken every host is nobody's, and none may leave. */
  #isConfigured(): boolean {
    this.#wasConfigured ||= this.#parts.mesh.inspect().revision > 0;
    return this.#wasConfigured;
  }

  #channelPast(): ConnectedChannel {
    const { target, credentials, options } = this.#parts;
    this.#past ??= new ConnectedChannel(target, credentials, options);
    return this.#past;
  }

  /** Only deadlines hold out there: the caller's, the call's and that of the inbound request it is made in. */
  #callPast(
    path: string,
    deadline: number,
    host: string | null | undefined,
    parent: ParentCall | null,
    flags: number | null | undefined,
    options: CallOptions | undefined,
  ): GrpcCall {
    const { clock } = this.#parts.mesh;
    const inherited = (currentScope()?.deadlineAt ?? Number.POSITIVE_INFINITY) - clock.now();
    const own = options?.timeout === undefined ? Number.POSITIVE_INFINITY : durationMs(options.timeout, "timeout");
    const until = Math.min(deadline, clock.wallTime() + Math.min(inherited, own));
    return this.#channelPast().createCall(path, until, host, parent, flags);
  }
}

/** A {@link MeshChannel} for one call: what grpc-js asks for is the call, and everything else is the channel's. */
class InformedChannel implements ChannelInterface {
  readonly #channel: MeshChannel;
  readonly #knowledge: CallKnowledge;

  constructor(channel: MeshChannel, knowledge: CallKnowledge) {
    this.#channel = channel;
    this.#knowledge = knowledge;
  }

  createCall(
    path: string,
    deadline: Deadline,
    host: string | null | undefined,
    parent: ParentCall | null,
    flags?: number | null,
  ): GrpcCall {
    return this.#channel.createInformedCall(path, deadline, host, parent, flags, this.#knowledge);
  }

  getTarget(): string {
    return this.#channel.getTarget();
  }

  getConnectivityState(tryToConnect: boolean): connectivityState {
    return this.#channel.getConnectivityState(tryToConnect);
  }

  watchConnectivityState(currentState: connectivityState, deadline: Date | number, callback: (error?: Error) => void): void {
    this.#channel.watchConnectivityState(currentState, deadline, callback);
  }

  getChannelzRef(): ReturnType<ChannelInterface["getChannelzRef"]> {
    return this.#channel.getChannelzRef();
  }

  close(): void {
    this.#channel.close();
  }
}

function epochOf(deadline: Deadline): number {
  return typeof deadline === "number" ? deadline : deadline.getTime();
}
