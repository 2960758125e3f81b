import { Worker } from "node:worker_threads";
import { Agent, request } from "undici";
import { SERVICE } from "../document.ts";
import { expectAnswer, type OpenVariant } from "../variant.ts";
import { createThreadInterceptor } from "./thread-interceptor.ts";

const DOMAIN = ".local";

/**
 * Platformatic's mesh between the services of one process, with services that are elsewhere: a thread for each server, which has
 * given its address, and from then on does nothing. Requests go to them in turn, from this thread, over a plain Agent.
 */
export const open: OpenVariant = async ({ addresses, path }) => {
  const target = new URL("./thread-interceptor-target.ts", import.meta.url);
  const threads = addresses.map((address) => new Worker(target, { workerData: `http://${address}` }));
  const interceptor = createThreadInterceptor({ domain: DOMAIN });
  await interceptor.route(SERVICE, threads);
  const agent = new Agent();
  const dispatcher = agent.compose(interceptor);
  const url = `http://${SERVICE}${DOMAIN}${path}`;
  return {
    async call() {
      const { statusCode, body } = await request(url, { dispatcher });
      expectAnswer(statusCode, (await body.bytes()).length);
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.terminate()));
      await agent.destroy();
    },
  };
};
