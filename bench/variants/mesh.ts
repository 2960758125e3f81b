import { meshError } from "@heddle/core";
import { joinMesh } from "heddle";
import { meshDocument, SERVICE } from "../document.ts";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { meshFacts } from "./mesh-facts.ts";
import { startTracing } from "./tracing.ts";

type JoinedMesh = Awaited<ReturnType<typeof joinMesh>>;

export interface Answer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** Sends a GET for this URL through one of the mesh's front doors and reads the whole answer. */
export type FrontDoor = (mesh: JoinedMesh, url: string) => Promise<Answer>;

/** A joined mesh with an SDK that samples nothing, or without one, asked through one front door. */
export function throughMesh(get: FrontDoor, isTraced = true): OpenVariant {
  return async ({ addresses, path }) => {
    const stopTracing = isTraced ? startTracing(false) : async () => {};
    const mesh = await joinMesh({ config: meshDocument(addresses) });
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
      verify: (requests, counts) =>
        meshFacts({ inspect: () => mesh.inspect(), flaky: addresses[0] ?? "", call, probe }, requests, counts, isTraced),
      async close() {
        await mesh.close();
        await stopTracing();
      },
    };
  };
}
