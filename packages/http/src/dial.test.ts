import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, getDefaultAutoSelectFamily, setDefaultAutoSelectFamily } from "node:net";
import undici from "undici";
import { expect, onTestFinished, test } from "vitest";
import { meshOf, serve } from "../test/front-doors.ts";
import { type Dialled, dialer, parseAddress } from "./dial.ts";
import { MeshDispatcher } from "./dispatcher.ts";

const greet: RequestListener = (_request, response) => void response.end("hello");

/** The port of a server on ::1; null where the machine has none. */
async function serveOnV6(): Promise<number | null> {
  const server = createServer(greet).listen(0, "::1");
  const isThere = await once(server, "listening").then(
    () => true,
    () => false,
  );
  if (!isThere) return null;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("serves an endpoint on [::1]", async ({ skip }) => {
  const port = await serveOnV6();
  if (port === null) return skip("no ::1 on this machine");
  const mesh = await meshOf([`[::1]:${port}`]);
  const { body } = await undici.request("http://reviews/", { dispatcher: new MeshDispatcher(mesh) });
  expect(await body.text()).toBe("hello");
});

test("a name whose first address refuses is dialled at its second, whatever the process's default is", async () => {
  const isDefault = getDefaultAutoSelectFamily();
  setDefaultAutoSelectFamily(false);
  onTestFinished(() => setDefaultAutoSelectFamily(isDefault));
  const { address } = await serve(greet);
  const found = [
    { address: "::1", family: 6 },
    { address: "127.0.0.1", family: 4 },
  ];
  const dial = dialer(
    address.replace("127.0.0.1", "twofold.test"),
    () => 1000,
    (_name, options, done) => (options.all ? done(null, found) : done(null, "::1", 6)),
  );
  const [error, socket] = await new Promise<Parameters<Dialled>>((resolve) => void dial((...told) => resolve(told)));
  expect(error).toBeNull();
  expect(socket?.remoteAddress).toBe("127.0.0.1");
  socket?.destroy();
});

/** As a busy loop of the application does. */
function blockEventLoop(ms: number): void {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
}

test.each([
  ["until long after it", 400],
  ["until just then", 205],
])("a connection that stood before its timeout is taken, though the event loop was blocked %s", async (_, blockedMs) => {
  const { address } = await serve(greet);
  const dial = dialer(address, () => 200);
  await new Promise(setImmediate);
  const dialled = new Promise<Parameters<Dialled>>((resolve) => void dial((...told) => resolve(told)));
  blockEventLoop(blockedMs);
  const [error, socket] = await dialled;
  expect(error).toBeNull();
  socket?.destroy();
});

test("a timeout that was noticed late still ends an attempt that does not come about", async () => {
  const dial = dialer(
    "silent.test:80",
    () => 50,
    () => {},
  );
  const dialled = new Promise<Parameters<Dialled>>((resolve) => void dial((...told) => resolve(told)));
  blockEventLoop(400);
  const [error] = await dialled;
  expect(error?.message).toBe("no connection to silent.test:80 within 50 ms");
});

test("a port is written in digits", () => {
  for (const address of ["reviews:0x50", "reviews:1e3", "reviews: 80", "reviews:+80", "reviews:80.0", "reviews:"])
    expect(() => parseAddress(address), address).toThrow("must be host:port");
  expect(parseAddress("reviews:080")).toEqual({ host: "reviews", port: 80 });
});
