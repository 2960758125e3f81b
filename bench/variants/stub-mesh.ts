import { createMesh, meshError, type RequestInit } from "@heddle/core";
import { meshDocument, SERVICE } from "../document.ts";
import type { OpenVariant } from "../variant.ts";
import { meshFacts } from "./mesh-facts.ts";
import { FLAKY_STUB, readStub, STUB_ADDRESSES, stubTransport } from "./stub-transport.ts";
import { startTracing } from "./tracing.ts";

function init(path: string): RequestInit {
  return { method: "GET", scheme: "http", authority: SERVICE, path, headers: {}, body: null };
}

/** The mesh alone, from `mesh.send` to the stub and back; with an SDK that samples nothing, or without one. */
export function stubMesh(isTraced: boolean): OpenVariant {
  return async ({ path }) => {
    const stopTracing = isTraced ? startTracing(false) : async () => {};
    const transport = stubTransport();
    const mesh = createMesh({ config: meshDocument(STUB_ADDRESSES), transport });
    await mesh.ready();
    const measured = init(path);
    const call = async (): Promise<void> => readStub(await mesh.send(measured));
    const probe = (path: string): Promise<string> =>
      mesh.send(init(path)).then(
        (response) => {
          response.body.abandon(new Error("only the status was asked for"));
          return String(response.status);
        },
        (error: unknown) => meshError(error)?.code ?? String(error),
      );
    return {
      isInstant: true,
      call,
      verify: (requests) =>
        meshFacts({ inspect: () => mesh.inspect(), flaky: FLAKY_STUB, call, probe }, requests, transport.counts(), isTraced),
      async close() {
        await mesh.close();
        await stopTracing();
      },
    };
  };
}

export const open: OpenVariant = stubMesh(true);
