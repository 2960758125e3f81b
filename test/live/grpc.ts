import { setImmediate as turn } from "node:timers/promises";
import { type ClientDuplexStream, makeGenericClientConstructor } from "@grpc/grpc-js";
import type { JoinedMesh } from "heddle";
import { Echo, type Said } from "../grpc/server/echo-service.ts";
import type { LiveProtocol } from "./protocol.ts";
import { type Conversation, trafficOf } from "./traffic.ts";

const EchoClient = makeGenericClientConstructor(Echo, "Echo");

export const grpc: LiveProtocol = {
  name: "grpc",
  service: { protocol: "grpc" },
  retry: { on: ["grpc:unavailable"] },
  oldMatch: { grpc: { service: { exact: "shop.Old" } } },
  held: { settings: {}, connections: 1 },
  start(mesh, service) {
    const client = mesh.grpc(EchoClient, service);
    let said = 0;
    const ask = (caller: number) => {
      const text = `${caller} ${said++}`;
      return new Promise<string | null>((resolve) => {
        client.Say?.({ text }, async (error: Error | null, answer?: Said) => {
          if (error === null) return resolve(answer?.text === text ? null : `${text} was answered ${answer?.text}`);
          await turn();
          resolve(`${error.message}: ${JSON.stringify(mesh.report(error))}`);
        });
      });
    };
    return trafficOf(ask, () => client.close());
  },
  converse,
};

function converse(mesh: JoinedMesh, service: string): Conversation {
  const client = mesh.grpc(EchoClient, service);
  const stream = client.Talk?.() as unknown as ClientDuplexStream<Said, Said>;
  let echoed = 0;
  let broken: string | null = null;
  let isStopped = false;
  stream.on("error", (error) => {
    broken = error.message;
  });
  const ended = new Promise<void>((resolve) => stream.once("status", () => resolve()));
  stream.on("data", ({ text }: Said) => {
    if (text === String(echoed)) echoed++;
    else broken = `${text} came for ${echoed}`;
    setTimeout(() => void (isStopped || stream.write({ text: String(echoed) })), 5);
  });
  stream.write({ text: "0" });
  return {
    get echoed() {
      return echoed;
    },
    async stop() {
      isStopped = true;
      stream.end();
      await ended;
      client.close();
      return broken;
    },
  };
}
