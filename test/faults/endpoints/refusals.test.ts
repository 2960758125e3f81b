import { describe, expect, test } from "vitest";
import { DOORS } from "./doors.ts";
import type { RawEndpoint } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes, wellKept } from "./setup.ts";

// Endpoints that take no connection.

nothingEscapes();

const URL = "http://reviews/";

async function refusing(): Promise<RawEndpoint> {
  const endpoint = await endpointOf();
  await endpoint.refuse();
  return endpoint;
}

describe.each(DOORS)("through $name", (door) => {
  test("an only endpoint that refuses is a connect failure, of which nothing was sent", async () => {
    const endpoint = await refusing();
    const mesh = await join([endpoint]);
    for (const method of ["GET", "POST"] as const) {
      const outcome = await door.send(mesh, { method, url: URL, ...(method === "POST" && { body: "never" }) });
      expect(outcome).toMatchObject({ code: "connect_failed", hadHead: false });
      // Transparently once more, as nothing was sent; node:http's own requests are not repeated.
      expect(outcome.attempts).toEqual(door.isWhole ? ["connect-failure", "connect-failure"] : ["connect-failure"]);
      await atRest(mesh);
    }
    expect(endpoint.connections).toBe(0);
    expect(inspected(mesh)[0]).toMatchObject({ requests: door.isWhole ? 4 : 2, failures: door.isWhole ? 4 : 2 });
    await endpoint.listen();
    expect(await door.send(mesh, { method: "GET", url: URL })).toMatchObject({ status: 200, body: "well" });
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});

describe.each(DOORS.filter(({ isWhole }) => isWhole))("through $name", (door) => {
  test("where one endpoint refuses, every request finds another, a POST too, once", async () => {
    const endpoints = [await refusing(), await endpointOf(wellKept)] as const;
    const mesh = await join(endpoints, { balancer: { policy: "round-robin" } });
    for (let call = 0; call < 10; call++) {
      const outcome = await door.send(mesh, { method: call % 2 ? "POST" : "GET", url: `${URL}${call}`, ...(call % 2 && { body: "once" }) });
      expect(outcome).toMatchObject({ status: 200, body: "well" });
    }
    const posts = endpoints[1].requests.filter(({ method }) => method === "POST").map(({ path }) => path);
    expect(posts).toEqual(["/1", "/3", "/5", "/7", "/9"]);
    expect(inspected(mesh)[0]).toMatchObject({ state: "ejected", failures: 5 });
    await atRest(mesh);
    await closes(mesh, endpoints);
  });
});
