import { setImmediate as turn } from "node:timers/promises";
import { type ClientDuplexStream, makeGenericClientConstructor } from "@grpc/grpc-js";
import type { JoinedMesh } from "heddle";
import { onTestFinished } from "vitest";
import { Echo, type Said } from "../grpc/server/echo-service.ts";
import type { Traffic } from "./traffic.ts";

const CONCURRENCY = 32;
const EchoClient = makeGenericClientConstructor(Echo, "Echo");

/** Callers that make unary calls of a service over and over, each as soon as it has its answer. Ends with the test. */
export function startCalls(mesh: JoinedMesh, service: string): Traffic {
  const client = mesh.grpc(EchoClient, service);
  const failures: string[] = [];
  let requests = 0;
  let isStopped = false;
  const ask = (text: string) =>
    new Promise<void>((resolve) => {
      client.Say?.({ text }, async (error: Error | null, said?: Said) => {
        if (error !== null) {
          failures.push(`${error.message}: ${JSON.stringify(mesh.report(error))}`);
          await turn();
        } else if (said?.text !== text) failures.push(`${text} was answered ${said?.text}`);
        resolve();
      });
    });
  const caller = async (name: number): Promise<void> => {
    for (; !isStopped; requests++) await ask(`${name} ${requests}`);
  };
  const callers = Array.from({ length: CONCURRENCY }, (_, index) => caller(index));
  const stop = async () => {
    isStopped = true;
    await Promise.all(callers);
    client.close();
  };
  onTestFinished(stop);
  return {
    get requests() {
      return requests;
    },
    failures,
    stop,
  };
}

/** A conversation that lasts: each text is sent once the one before came back. */
export interface Conversation {
  readonly echoed: number;
  /** Ends it, and gives what it ended with: null where nobody broke it before. */
  stop(): Promise<string | null>;
}

export function startConversation(mesh: JoinedMesh, service: string): Conversation {
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
