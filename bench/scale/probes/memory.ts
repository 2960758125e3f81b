import { createMesh, type Mesh, staticSource, type Transport } from "@heddle/core";
import { virtualClock } from "@heddle/testing";
import { readStub, stubSend } from "../../variants/stub-transport.ts";
import type { OpenProbe } from "../probe.ts";
import { documentOf, endpoints, SERVICE, snapshotOf, withEndpoints } from "./generated.ts";
import { heldBytes } from "./heap.ts";
import { get, onProblem } from "./mesh-slot.ts";

export interface MemoryParameters {
  readonly endpoints: number;
}

/** Longer than a channel may stay unused, and than the pause between two looks at them. */
const IDLE = "7m";

/**
 * Bytes for each endpoint of a service in use: the endpoint as the source gave it, and all that the mesh keeps beside it. First with
 * none of them ever asked (but one, without which there would be no state at all), then after each answered once and was left idle
 * until its channel was closed. Round robin visits them all; what is kept is the same for every balancer.
 */
export const open: OpenProbe<MemoryParameters> = async ({ parameters: { endpoints: count } }) => {
  const clock = virtualClock();
  const base = snapshotOf(documentOf({ balancer: { policy: "round-robin" } }));
  const source = staticSource(base);
  const mesh = createMesh({ config: source, transport: uncounted(), clock, onProblem });
  await mesh.ready();
  await ask(mesh, 1_000);
  return {
    async round() {
      const before = await heldBytes();
      source.update(withEndpoints(base, endpoints(count)));
      await ask(mesh, 1);
      const known = (await heldBytes()) - before;
      await ask(mesh, count);
      const open = (await heldBytes()) - before;
      await clock.advance(IDLE);
      const used = (await heldBytes()) - before;
      checkUse(mesh, count);
      return { known: known / count, open: open / count, used: used / count };
    },
    close: () => mesh.close(),
  };
};

async function ask(mesh: Mesh, times: number): Promise<void> {
  const request = get(SERVICE, "/");
  for (let time = 0; time < times; time++) readStub(await mesh.send(request));
}

/** Fewer would be cheaper, and prove nothing. */
function checkUse(mesh: Mesh, count: number): void {
  const all = mesh.inspect().backends.flatMap(({ endpoints }) => endpoints);
  const unused = all.filter(({ requests }) => requests === 0).length;
  if (all.length !== count || unused > 0) throw new Error(`${all.length} endpoints, ${unused} of them never asked`);
}

/** The stub without its counts for each address, which would be counted as the mesh's. */
function uncounted(): Transport {
  const send = stubSend({ requests: 0, unsampled: 0 }, false);
  return { open: () => ({ send, connections: () => 0, close: async () => {}, destroy() {} }) };
}
