import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getGlobalDispatcher, setGlobalDispatcher } from "undici";

const ADDRESS = /\b127\.0\.0\.1:\d+\b/g;
const LISTENING = /\bport: \d+/g;
const DRAINING = /\bdrain: "\d+s"/g;

/** Where undici 6 and 7, and so the built-in fetch, look for their global dispatcher. */
const FORMER_GLOBAL = Symbol.for("undici.globalDispatcher.1");

/** A working directory with a `mesh.yaml`, and real servers behind the addresses that a page names. */
export interface Surroundings extends AsyncDisposable {
  /** The same text with the addresses that really answer, ports that are free where it listens, and no wait where it drains. */
  placed(text: string): string;
}

/** The servers answer JSON that says what was asked. The process works in the directory until this is disposed of, and has its dispatcher back then. */
export async function surroundings(page: string, document: string): Promise<Surroundings> {
  const servers = new Map<string, Awaited<ReturnType<typeof serve>>>();
  const own = new Set(page.match(LISTENING)?.map(addressAt));
  for (const [address] of `${page}\n${document}`.matchAll(ADDRESS))
    if (!servers.has(address)) servers.set(address, await (own.has(address) ? freeAddress() : serve()));
  const portAt = (address: string): string => servers.get(address)?.address.split(":")[1] ?? "0";
  const placed = (text: string): string =>
    text
      .replaceAll(ADDRESS, (address) => servers.get(address)?.address ?? address)
      .replaceAll(LISTENING, (listening) => `port: ${portAt(addressAt(listening))}`)
      .replaceAll(DRAINING, "drain: 0");
  const globals = globalThis as Record<symbol, unknown>;
  const [before, dispatcher, former] = [process.cwd(), getGlobalDispatcher(), globals[FORMER_GLOBAL]];
  const directory = mkdtempSync(join(tmpdir(), "heddle-docs-"));
  writeFileSync(join(directory, "mesh.yaml"), placed(document));
  process.chdir(directory);
  return {
    placed,
    async [Symbol.asyncDispose]() {
      process.chdir(before);
      setGlobalDispatcher(dispatcher);
      globals[FORMER_GLOBAL] = former;
      rmSync(directory, { recursive: true });
      await Promise.all([...servers.values()].map(({ close }) => close()));
    },
  };
}

function addressAt(listening: string): string {
  return listening.replace("port: ", "127.0.0.1:");
}

/** For what a page itself listens on. */
async function freeAddress(): ReturnType<typeof serve> {
  const server = await serve();
  await server.close();
  return { ...server, close: async () => {} };
}

async function serve(): Promise<{ readonly address: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, path: request.url }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
