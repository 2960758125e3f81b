import { status } from "@grpc/grpc-js";
import type { RpcKind } from "@heddle/core";
import type { TestMesh } from "@heddle/testing";
import type { FakeGrpcCall } from "@heddle/testing/grpc";
import { ENDPOINTS, type Plan } from "./rpc-commands.ts";

/** One try, as the endpoint that it came to saw it. */
export interface Try {
  readonly exchange: FakeGrpcCall;
  /** What was answered, in order. */
  readonly sent: string[];
}

const ANSWERS = 3;

/** The endpoints: each try does what the next plan says. */
export class RpcServers {
  /** By the number of the call, its tries in order. */
  readonly tries: Map<number, Try[]> = new Map();
  readonly #t: TestMesh;
  readonly #plans: Plan[];

  constructor(t: TestMesh, plans: readonly Plan[]) {
    this.#t = t;
    this.#plans = [...plans];
    for (const address of ENDPOINTS) this.revive(address);
  }

  revive(address: string): void {
    this.#t.grpcTransport
      .endpoint(address)
      .restore()
      .handle((exchange) => this.#take(exchange));
  }

  /** Its process is gone, and with it every connection. */
  kill(address: string): void {
    const endpoint = this.#t.grpcTransport.endpoint(address).restore().refuse();
    for (const exchange of endpoint.calls) exchange.break("reset");
  }

  async #take(exchange: FakeGrpcCall): Promise<void> {
    const number = Number(exchange.headers["x-call"]);
    const made: Try = { exchange, sent: [] };
    const tries = this.tries.get(number) ?? [];
    this.tries.set(number, tries);
    tries.push(made);
    const plan = this.#plans.shift() ?? { kind: "serve", early: false };
    // What it waits for rejects when the call is over.
    await follow(made, plan, String(exchange.headers["x-kind"]) as RpcKind).catch(() => undefined);
  }
}

async function follow(made: Try, plan: Plan, kind: RpcKind): Promise<void> {
  const { exchange } = made;
  if (plan.kind === "refuse-stream") return exchange.break("refused-stream");
  if (plan.early) exchange.sendMetadata();
  for (let taken = 0; ; taken++) {
    if (plan.kind !== "serve" && taken === plan.after) {
      if (plan.kind === "fail") exchange.end(status.UNAVAILABLE);
      if (plan.kind === "break") exchange.break("reset");
      return;
    }
    const message = await exchange.next();
    if (message === null) break;
    if (kind === "bidi-stream") await answer(made, `re ${message}`);
  }
  const all = exchange.received.map(String).join(" ");
  if (kind === "unary" || kind === "client-stream") await answer(made, all);
  if (kind === "server-stream") for (let count = 0; count < ANSWERS; count++) await answer(made, `${count} of ${all}`);
  exchange.sendMetadata();
  exchange.end();
}

async function answer(made: Try, text: string): Promise<void> {
  if (made.exchange.isOver) return;
  made.sent.push(text);
  await made.exchange.send(text);
}
