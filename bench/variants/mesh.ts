import { meshError } from "@heddle/core";
import { identity, joinMesh } from "heddle";
import { CALLER, meshDocument, mutualDocument, SERVICE } from "../document.ts";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { meshFacts } from "./mesh-facts.ts";
import { mutualFacts } from "./mutual-facts.ts";
import { startTracing } from "./tracing.ts";

type JoinedMesh = Awaited<ReturnType<typeof joinMesh>>;

export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** Sends a GET for this URL through one of the mesh's front doors and reads the whole answer. */
export type FrontDoor = (mesh: JoinedMesh, url: string) => Promise<Answer>;

/**
 * A joined mesh with an SDK that samples nothing, or without one, asked through one front door; by mutual TLS where the comparison has an
 * authority.
 */
export function throughMesh(get: FrontDoor, isTraced = true): OpenVariant {
  return async ({ addresses, path, authority }) => {
    const stopTracing = isTraced ? startTracing(false) : async () => {};
    const mesh = await (authority === null ? joinMesh({ config: meshDocument(addresses) }) : joinMutually(addresses, authority));
    const url = `http://${SERVICE}${path}`;
    const call = async (): Promise<void> => {
      const { status, bytes } = await get(mesh, url);
      expectAnswer(status, bytes.length);
    };
    const probe = (path: string): Promise<string> =>
      get(mesh, `http://${SERVICE}${path}`).then(
        ({ status }) => String(status),
        (error: unknown) => meshError(error)?.code ?? String(error),
      );
    return {
      call,
      async verify(requests, counts) {
        const tested = { inspect: () => mesh.inspect(), flaky: addresses[0] ?? "", call, probe };
        const facts = await meshFacts(tested, requests, counts, isTraced);
        return authority === null ? facts : [...facts, ...(await mutualFacts(tested, requests, counts))];
      },
      async close() {
        await mesh.close();
        await stopTracing();
      },
    };
  };
}

function joinMutually(addresses: readonly string[], authority: string): Promise<JoinedMesh> {
  const dev = identity.dev({ dir: authority, service: CALLER });
  // That a development authority is none for production is known here.
  return joinMesh({ config: mutualDocument(addresses), identity: dev, onProblem() {} });
}
