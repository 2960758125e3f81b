import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { freePorts } from "./ports.ts";

test("passes over a port that somebody listens on", async () => {
  const [taken = 0] = await freePorts(1);
  const server = createServer().listen({ port: taken, host: "127.0.0.1" });
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const randomThatStartsThere = () => ((server.address() as AddressInfo).port - 20_000) / 10_000;
  const ports = await freePorts(3, randomThatStartsThere);
  expect(ports).not.toContain(taken);
  expect(new Set(ports).size).toBe(3);
  expect(ports.every((port) => port >= 20_000 && port < 30_000)).toBe(true);
});
