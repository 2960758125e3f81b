import { Agent } from "node:http";
import { askJson } from "../ask.ts";
import { addressOf } from "../instances.ts";
import type { Step } from "../step.ts";
import { unlessCancelled } from "../wait.ts";

const REQUESTS = 40;
const WAITS_MS = 2_000;

interface Page {
  readonly item: { readonly servedBy: string; readonly leftMs: number | null };
}

export const deadline: Step = {
  title: `deadline: catalog knows that web's caller waits ${WAITS_MS / 1_000} s`,
  async run({ fleet, show, cancel }) {
    const url = `http://${addressOf(fleet.process("web").instance)}/products/7`;
    const agent = new Agent({ keepAlive: true });
    const left: number[] = [];
    let servedBy = "";
    show(() => `${left.length} of ${REQUESTS} requests`);
    try {
      for (let request = 0; request < REQUESTS; request++) {
        const headers = { "x-envoy-expected-rq-timeout-ms": String(WAITS_MS) };
        const { item } = await unlessCancelled(askJson<Page>(url, { agent, headers }), cancel);
        left.push(item.leftMs ?? Number.POSITIVE_INFINITY);
        servedBy = item.servedBy;
      }
    } finally {
      agent.destroy();
    }
    const [least, most] = [Math.min(...left), Math.max(...left)];
    return {
      held: least > 0 && most <= WAITS_MS,
      seen: `${REQUESTS} requests: catalog, on ${servedBy}, had ${Math.round(least)} to ${Math.round(most)} ms left of the ${WAITS_MS}`,
    };
  },
};
