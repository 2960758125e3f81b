import { once } from "node:events";
import { createServer } from "node:net";
import { type Random, systemRandom } from "@heddle/core";

/** Below the ranges from which systems take the ports of outgoing connections: a service that is down for a moment keeps its port. */
const FIRST = 20_000;
const LAST = 29_999;

/** Ports of 127.0.0.1 on which nobody listens now. */
export async function freePorts(count: number, random: Random = systemRandom): Promise<number[]> {
  const ports: number[] = [];
  let port = FIRST + Math.floor(random() * (LAST - FIRST + 1));
  for (let tried = 0; ports.length < count; tried++) {
    if (tried > LAST - FIRST) throw new Error(`there are no ${count} free ports from ${FIRST} to ${LAST}`);
    if (await isFree(port)) ports.push(port);
    port = port === LAST ? FIRST : port + 1;
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen({ port, host: "127.0.0.1" }), "listening");
    return true;
  } catch {
    // In use, or reserved: either way not ours to take.
    return false;
  } finally {
    server.close();
  }
}
