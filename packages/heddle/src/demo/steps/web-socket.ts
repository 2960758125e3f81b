import { Agent } from "node:http";
import { askJson } from "../ask.ts";
import { requestsOf } from "../fleet.ts";
import { addressOf } from "../instances.ts";
import type { Stage, Step } from "../step.ts";
import { unlessCancelled, until } from "../wait.ts";

const SOCKETS = 30;
const ANSWERS = 3;

interface Answer {
  readonly pid: number;
}

export const webSocket: Step = {
  title: `WebSocket: web asks live over ${SOCKETS} of them`,
  async run({ fleet, show, ...waiting }) {
    const url = `http://${addressOf(fleet.process("web").instance)}/live/7`;
    const before = await upgradesOf(fleet);
    show(() => `${SOCKETS} sockets are open at once`);
    const agent = new Agent();
    const asked = Promise.all(Array.from({ length: SOCKETS }, () => askJson<readonly Answer[]>(url, { agent })));
    const sockets = await unlessCancelled(asked, waiting.cancel).finally(() => agent.destroy());
    await until("web counted every socket as upgraded", 5_000, waiting, async () => (await upgradesOf(fleet)) - before >= SOCKETS);
    const pids = new Set(sockets.flat().map(({ pid }) => pid));
    const isFaithful = sockets.every((answers) => answers.length === ANSWERS && new Set(answers.map(({ pid }) => pid)).size === 1);
    return {
      held: isFaithful && pids.size > 1,
      seen: `${SOCKETS} through the mesh, routed and balanced over ${pids.size} processes of live; ${sockets.flat().length} texts answered, each by the process that its socket led to`,
    };
  },
};

async function upgradesOf(fleet: Stage["fleet"]): Promise<number> {
  const counters = await fleet.counters("web", "outbound");
  return requestsOf(counters.filter(({ service, outcome }) => service === "live" && outcome === "101"));
}
