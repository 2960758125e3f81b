import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import type { PathNormalisation } from "@heddle/core";
import { type TestAuthority, testAuthority } from "@heddle/testing/authority";
import { Envoy } from "../../../bench/envoy.ts";
import { findEnvoy, thisMachine } from "../../../bench/envoy-binary.ts";
import { answerOf, application } from "./application.ts";
import { type Answer, type Caller, type PolicyCase, SERVER_ID, type SentRequest, TRUST_DOMAINS } from "./cases.ts";
import { bootstrap, CASE_HEADER } from "./envoy-config.ts";
import { OurSide } from "./our-side.ts";
import { RawConnection } from "./raw-connection.ts";

/** Both listen on the same port, so that rules about ports mean the same. */
const OUR_HOST = "127.0.0.1";
const ENVOY_HOST = "127.0.0.2";

export const PATH_NORMALISATIONS: readonly PathNormalisation[] = ["none", "base", "merge-slashes", "decode-and-merge-slashes"];
export const TRUSTED_HOPS: readonly number[] = [0, 1, 2];

/** What one connection manager of Envoy can be set to, and a mesh of ours beside it. */
interface Lane {
  readonly pathNormalisation: PathNormalisation;
  readonly trustedHops: number;
  readonly ours: OurSide;
}

export interface LanePort {
  readonly pathNormalisation: PathNormalisation;
  readonly trustedHops: number;
  readonly port: number;
}

export interface Answers {
  readonly ours: Answer;
  readonly envoy: Answer;
}

/** Both sides under one case. */
export interface Asking extends Disposable {
  /** Of both at once. Of one caller one request after the other. */
  ask(request: SentRequest): Promise<Answers>;
}

/** A real Envoy and meshes of ours, each lane of both set alike. */
export class World implements AsyncDisposable {
  readonly #lanes: readonly Lane[];
  readonly #upstream: Server;
  readonly #authorities: readonly TestAuthority[];
  readonly #contexts = new Map<string, SecureContext>();
  #envoy: Envoy | null = null;

  private constructor(lanes: readonly Lane[], upstream: Server, authorities: readonly TestAuthority[]) {
    this.#lanes = lanes;
    this.#upstream = upstream;
    this.#authorities = authorities;
  }

  /** `casesOf` gets the ports, as rules may name them. */
  static async open(casesOf: (lanes: readonly LanePort[]) => readonly PolicyCase[]): Promise<World> {
    const [shop, other] = TRUST_DOMAINS.map((trustDomain) => testAuthority({ trustDomain })) as [TestAuthority, TestAuthority];
    shop.trust(other);
    const lanes: Lane[] = [];
    for (const pathNormalisation of PATH_NORMALISATIONS)
      for (const trustedHops of TRUSTED_HOPS) lanes.push({ pathNormalisation, trustedHops, ours: await OurSide.open(OUR_HOST, shop) });
    const upstream = createServer({ keepAliveTimeout: 0 }, application).listen(0, OUR_HOST);
    await once(upstream, "listening");
    const world = new World(lanes, upstream, [shop, other]);
    try {
      await world.#startEnvoy(casesOf(lanes.map(({ ours: { port }, ...setting }) => ({ ...setting, port }))));
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #startEnvoy(cases: readonly PolicyCase[]): Promise<void> {
    const lanes = this.#lanes.map((lane) => ({ address: ENVOY_HOST, port: lane.ours.port, cases: cases.filter((one) => isOf(one, lane)) }));
    const { certPem, keyPem } = this.#certificate(SERVER_ID);
    const certificates = { certificate: certPem, key: keyPem, roots: this.#authorities.map((one) => one.bundlePem()).join("") };
    const used = lanes.filter((lane) => lane.cases.length > 0);
    const { command } = await findEnvoy(thisMachine(() => {}));
    this.#envoy = await Envoy.start(command, bootstrap(used, certificates, (this.#upstream.address() as AddressInfo).port));
  }

  #certificate(id: string) {
    const authority = this.#authorities.find(({ trustDomain }) => id.startsWith(`spiffe://${trustDomain}/`));
    if (authority === undefined) throw new RangeError(`no authority issues ${id}`);
    return authority.issue(id);
  }

  /** Of each lane one case at a time: a mesh has one policy in force. */
  under(policy: PolicyCase): Asking {
    const lane = this.#lanes.find((one) => isOf(policy, one));
    if (lane === undefined) throw new RangeError(`${policy.name} is of no lane`);
    const { port } = lane.ours;
    lane.ours.enforce(policy);
    const open = new Map<string, RawConnection>();
    const connection = (host: string, caller: Caller) => {
      const key = JSON.stringify([host, caller]);
      const known = open.get(key) ?? new RawConnection({ host, port }, caller, this.#contextOf);
      open.set(key, known);
      return known;
    };
    const send = async (host: string, request: SentRequest) =>
      answerOf(await connection(host, request.caller).send(written(request, policy.name)));
    return {
      ask: async (request) => {
        const [ours, envoy] = await Promise.all([send(OUR_HOST, request), send(ENVOY_HOST, request)]);
        return { ours, envoy };
      },
      [Symbol.dispose]: () => {
        for (const one of open.values()) one.close();
      },
    };
  }

  readonly #contextOf = (id: string): SecureContext => {
    const known = this.#contexts.get(id);
    if (known) return known;
    const { certPem, keyPem } = this.#certificate(id);
    const made = createSecureContext({ cert: certPem, key: keyPem });
    this.#contexts.set(id, made);
    return made;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#envoy?.stop();
    this.#upstream.closeAllConnections();
    this.#upstream.close();
    await Promise.all(this.#lanes.map(({ ours }) => ours.close()));
  }
}

function isOf(policy: PolicyCase, lane: Pick<Lane, "pathNormalisation" | "trustedHops">): boolean {
  return policy.pathNormalisation === lane.pathNormalisation && policy.trustedHops === lane.trustedHops;
}

function written({ method, path, host, headers }: SentRequest, name: string): string {
  const fields = [["host", host], [CASE_HEADER, name], ...headers, ...(method === "GET" ? [] : [["content-length", "0"]])];
  return `${method} ${path} HTTP/1.1\r\n${fields.map(([field, value]) => `${field}: ${value}\r\n`).join("")}\r\n`;
}
