import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { loopbackEndpoint } from "./loopback-endpoint.ts";

async function setup() {
  const endpoint = await loopbackEndpoint();
  const agent = new Agent({ keepAlive: true });
  onTestFinished(async () => {
    agent.destroy();
    await endpoint.close();
  });
  const call = async (path = "/"): Promise<IncomingMessage> => {
    const request = get(`http://${endpoint.address}${path}`, { agent, headers: { host: "reviews", "x-user": "jason" } });
    // What breaks after the head is the response's to tell.
    request.on("error", () => {});
    const [response] = (await once(request, "response")) as [IncomingMessage];
    return response;
  };
  return { endpoint, call };
}

test("answers with what it was told, and tells what it received", async () => {
  const { endpoint, call } = await setup();
  await endpoint.answer((request) => ({ status: 201, json: { path: request.path }, trailers: { "x-checksum": "7" } }));
  const response = await call("/a?b=c");
  expect(response.statusCode).toBe(201);
  expect(await text(response)).toBe('{"path":"/a?b=c"}');
  expect(response.trailers).toEqual({ "x-checksum": "7" });
  expect(endpoint.requests[0]).toMatchObject({ method: "GET", authority: "reviews", path: "/a?b=c" });
  expect(endpoint.requests[0]?.headers["x-user"]).toBe("jason");
});

test("refuses at its address, and answers there again", async () => {
  const { endpoint, call } = await setup();
  const { address } = endpoint;
  await endpoint.refuse();
  await expect(call()).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await endpoint.answer(() => ({ body: "back" }));
  expect(endpoint.address).toBe(address);
  expect(await text(await call())).toBe("back");
});

test("resets before the head, after it, and within the body", async () => {
  const { endpoint, call } = await setup();
  await endpoint.reset("send");
  await expect(call()).rejects.toMatchObject({ code: "ECONNRESET" });
  for (const stage of ["head", "body"] as const) {
    await endpoint.reset(stage);
    const response = await call();
    expect(response.statusCode).toBe(200);
    await expect(text(response)).rejects.toMatchObject({ code: "ECONNRESET" });
  }
});

test("counts its connections and leaves none", async () => {
  const { endpoint, call } = await setup();
  await text(await call());
  expect(endpoint.connections()).toBe(1);
  await endpoint.close();
  expect(endpoint.connections()).toBe(0);
});
