import type { Agent } from "node:http";
import type { Mesh } from "@heddle/core";
import { type Dispatcher, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { MeshDispatcher } from "./dispatcher.ts";
import { formerGlobal, setFormerGlobal } from "./global-dispatcher.ts";
import { GlobalPlace } from "./global-place.ts";
import { MeshAgent } from "./mesh-agent.ts";
import { nodeHttp } from "./node-http.ts";

/** Undici keeps its dispatcher in two places: the present one, and the former one for the built-in fetch. */
const dispatchers = new GlobalPlace<Dispatcher>({
  get: getGlobalDispatcher,
  put(dispatcher) {
    const before = getGlobalDispatcher();
    const formerBefore = formerGlobal();
    setGlobalDispatcher(dispatcher);
    return () => {
      setGlobalDispatcher(before);
      setFormerGlobal(formerBefore);
    };
  },
});

const agents = new GlobalPlace<Agent>({
  get: () => nodeHttp.globalAgent,
  put(agent) {
    const before = nodeHttp.globalAgent;
    nodeHttp.globalAgent = agent;
    return () => {
      nodeHttp.globalAgent = before;
    };
  },
});

/**
 * Makes the mesh undici's global dispatcher, for the built-in fetch too, and node:http's global agent. Disposing brings back what was
 * there; where others were installed in between, in whatever order all of them go, what was there before the first comes back with
 * the last.
 */
export function installMesh(
  mesh: Mesh,
  dispatcher: MeshDispatcher = new MeshDispatcher(mesh),
  agent: MeshAgent = new MeshAgent(mesh),
): Disposable {
  const remove = [dispatchers.install(dispatcher), agents.install(agent)];
  return {
    [Symbol.dispose]() {
      for (const each of remove.splice(0)) each();
    },
  };
}
