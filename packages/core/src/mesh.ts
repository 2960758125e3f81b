import type { Clock } from "./clock.ts";
import type { CallOptions, RequestContext } from "./context.ts";
import type { ControlSource, Problem } from "./control/source.ts";
import type { Deadlines } from "./deadlines.ts";
import type { Duration } from "./duration.ts";
import type { ExplainRequest, Explanation } from "./explain.ts";
import type { Health, Inspection } from "./inspect.ts";
import type { Handler } from "./layer.ts";
import type { HeaderMap, MeshRequest, RequestBody } from "./message.ts";
import type { Random } from "./random.ts";
import type { Report } from "./report.ts";
import type { AccessLogOptions } from "./telemetry/access-log.ts";
import type { Transport } from "./transport.ts";

export interface MeshOptions {
  /** Who this process is: selects its inbound policy and labels its telemetry. Absent: client only, serving throws. */
  readonly service?: string;
  /** A path to a YAML or JSON document, a document as an object, or a control source. */
  readonly config: string | object | ControlSource;
  readonly transport: Transport;
  /** How long `ready()` waits for every source to have spoken. Default 10 s. */
  readonly startTimeout?: Duration;
  /** Default: each problem is written to stderr once. `inspect().problems` keeps the last 100. */
  readonly onProblem?: (problem: Problem) => void;
  /** Called after a changed configuration took effect. */
  readonly onChange?: (change: { readonly source: string; readonly revision: number }) => void;
  /** One line a request, on each side. Default: off. */
  readonly accessLog?: AccessLogOptions | boolean;
  /** Default: the system's. */
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Everything a request needs besides the mesh's own decisions. */
export interface RequestInit {
  readonly method: string;
  readonly scheme: "http" | "https";
  readonly authority: string;
  readonly path: string;
  /** Lower-case names, without `host`. The mesh does not change this object. */
  readonly headers: HeaderMap;
  readonly body: RequestBody;
  readonly options?: CallOptions;
}

/** The mesh in one process, without a protocol's front doors (those are in @heddle/http and the umbrella `heddle`). */
export interface Mesh {
  readonly service: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly deadlines: Deadlines;
  /** What happens to hosts that no service claims. */
  readonly egress: "allow" | "deny";

  /** Resolves once every source has spoken; rejects with `not_ready` after the start timeout, naming each source and why. */
  ready(): Promise<void>;

  /** The stack of the virtual host that claims this authority (`host` or `host:port`, any case); null if none does. */
  virtualHost(authority: string): Handler | null;
  /** A request with its context: deadline, tags and trace of the inbound request it is made in, if any. */
  startRequest(init: RequestInit): MeshRequest;
  /** `virtualHost` and `startRequest` in one; rejects with `unknown_service` where no service claims the authority. */
  send(init: RequestInit): Promise<import("./message.ts").MeshResponse>;

  /** The inbound stack. `request.context.app` must be set: it answers what no layer did. Rejects only if the app does. */
  readonly inbound: Handler;
  /** Throws TypeError unless this mesh has a service that the configuration defines or may define. Called by whoever starts to serve. */
  assertServing(): void;
  /** Registers something to be told that the mesh drains, and to be closed with it: a listener. Returns a function that unregisters it. */
  onClose(closing: Closing): () => void;
  /** True from the moment `close` was called: readiness fails and answers tell callers to go elsewhere. */
  readonly isDraining: boolean;

  /** Makes `report(object)` answer for this request. */
  remember(object: object, context: RequestContext): void;
  /** What happened to the call that gave this reply, response or error; undefined if it was not made through the mesh. */
  report(reply: unknown): Report | undefined;
  explain(request: ExplainRequest): Explanation;
  inspect(): Inspection;
  health(): Health;

  /**
   * The only way down: readiness fails and callers are told, serving goes on for `drain` (default 0), requests in flight finish within
   * `limit` (default 10 s), then everything is cut. Frees every timer, socket and listener. Idempotent.
   */
  close(options?: { readonly drain?: Duration; readonly limit?: Duration }): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A part of the process that serves through the mesh. */
export interface Closing {
  /** Tell callers to go elsewhere; keep serving. */
  drain(): void;
  /** Accept nothing new, finish what is in flight. */
  close(): Promise<void>;
  /** Cut what is left. */
  destroy(): void;
}
