import type { Agent, ClientRequest } from "node:http";
import { emptyHeaders, type Handler, type HeaderMap, type Mesh, type Route } from "@heddle/core";
import { answeringSocket } from "./answering-socket.ts";
import { CarriedRequest, giveUp } from "./carried-request.ts";
import type { AgentInternals } from "./endpoint-agent.ts";
import { type Failures, failureAnswer, wayTo } from "./front-door.ts";
import { nodeHttp } from "./node-http.ts";
import { outside } from "./unclaimed.ts";

export interface MeshAgentOptions {
  /** Who serves the hosts that no service claims. Default: `http.globalAgent` at this moment. */
  readonly unclaimed?: Agent;
  /** `response`: failures of the mesh before a request was sent are answers. Default: `reject`. */
  readonly failures?: Failures;
}

interface RequestArguments {
  readonly host?: string;
  readonly port?: number | string;
  readonly socketPath?: string;
}

/**
 * The mesh for users of node:http: `http.get({ agent })`, axios' default adapter, got. The endpoint is picked for each request, under
 * limits, breaker and outlier detection, with its route's deadline; the request itself is node:http's own, so it is not tried again,
 * rewritten, mirrored, delayed, or answered by a fallback. A route that asks for that is reported once.
 */
export class MeshAgent extends nodeHttp.Agent {
  /** Who serves unclaimed hosts. */
  readonly unclaimed: Agent;
  readonly #mesh: Mesh;
  readonly #failures: Failures;
  readonly #reported = new WeakSet<Route>();

  constructor(mesh: Mesh, options: MeshAgentOptions = {}) {
    // So that requests ask to keep their connection; those of this agent itself are never used.
    super({ keepAlive: true });
    this.#mesh = mesh;
    this.unclaimed = options.unclaimed ?? nodeHttp.globalAgent;
    this.#failures = options.failures ?? "reject";
  }

  /** Called by node:http for each request, in the scope it is made in. */
  addRequest(client: ClientRequest, options: RequestArguments): void {
    const authority = options.socketPath === undefined ? authorityOf(options) : null;
    const claimed = authority === null ? null : this.#mesh.virtualHost(authority);
    if (authority === null) (this.unclaimed as unknown as AgentInternals).addRequest(client, options);
    else this.#send(claimed, authority, client, options);
  }

  #send(claimed: Handler | null, authority: string, client: ClientRequest, options: RequestArguments): void {
    const mesh = this.#mesh;
    const carried = new CarriedRequest(mesh, client, options, (route) => this.#report(route, authority));
    const way = claimed ?? this.#unclaimedWay(authority, carried);
    const request = mesh.startRequest({
      method: client.method,
      scheme: "http",
      authority: hostOf(client) ?? authority,
      path: client.path,
      headers: headersOf(client),
      body: null,
    });
    request.context.carrier = carried;
    carried.followCaller(request);
    way(request)
      .catch((error: unknown) => {
        if (this.#failures === "response" && !carried.wasSent) return failureAnswer(error);
        throw error;
      })
      .then(
        (response) => {
          if (!carried.wasSent) client.onSocket(answeringSocket(response) as never);
        },
        (error: unknown) => {
          if (!carried.wasSent) giveUp(client, error);
        },
      );
  }

  #unclaimedWay(authority: string, carried: CarriedRequest): Handler {
    const direct: Handler = (request) => carried.sendThrough(this.unclaimed, request);
    return wayTo({ mesh: this.#mesh, unclaimed: outside(this.#mesh, direct), failures: this.#failures }, authority);
  }

  #report(route: Route, authority: string): void {
    if (this.#reported.has(route)) return;
    this.#reported.add(route);
    const ignored = unusedPolicies(route);
    if (ignored.length === 0) return;
    const message = `${authority}: route ${route.name} is used through mesh.agent(), which does not do its ${ignored.join(", ")}; use fetch, undici or mesh.request`;
    this.#mesh.reportProblem({ where: route.origin, message, severity: "warning" });
  }
}

function unusedPolicies(route: Route): readonly string[] {
  const { retry, fault, fallback, mirrors, action, headers, timeout } = route;
  const names: string[] = [];
  if (retry !== null && retry !== "off") names.push("retry");
  if (fault !== null) names.push("fault");
  if (fallback !== null) names.push("fallback");
  if (mirrors.length > 0) names.push("mirror");
  if (action.kind === "forward" && action.rewrite !== null) names.push("rewrite");
  const hasHeaders = headers !== null || (action.kind === "forward" && action.to.some((to) => to.headers !== null));
  if (hasHeaders) names.push("headers");
  if (timeout !== null && timeout.idleMs !== null) names.push("timeout.idle");
  return names;
}

function authorityOf({ host = "localhost", port }: RequestArguments): string {
  const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  const isDefault = port === undefined || port === "" || Number(port) === 80;
  return `${name}${isDefault ? "" : `:${port}`}`.toLowerCase();
}

function hostOf(client: ClientRequest): string | undefined {
  const host = client.getHeader("host");
  return typeof host === "string" ? host.toLowerCase() : undefined;
}

function headersOf(client: ClientRequest): HeaderMap {
  const headers = emptyHeaders();
  for (const [name, value] of Object.entries(client.getHeaders())) {
    if (name === "host" || value === undefined) continue;
    headers[name] = Array.isArray(value) ? value.map(String) : String(value);
  }
  return headers;
}
