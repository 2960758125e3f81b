import { createSocket } from "node:dgram";
import { once } from "node:events";
import { onTestFinished, vi } from "vitest";

const TYPES = { A: 1, TXT: 16, AAAA: 28 } as const;

/** What it says to a question for A; to one for AAAA it says that there is none. */
export type DnsAnswer =
  | { readonly kind: "addresses"; readonly addresses: readonly string[]; readonly ttlSeconds?: number }
  | { readonly kind: "refusal"; readonly code: "NXDOMAIN" | "SERVFAIL" | "REFUSED" }
  | { readonly kind: "nothing" | "silence" | "wrong type" | "garbage" };

const CODES = { NXDOMAIN: 3, SERVFAIL: 2, REFUSED: 5 } as const;

export interface DnsServer {
  answer: DnsAnswer;
  /** Questions for A so far. */
  readonly questions: () => number;
}

/** A name server on loopback, which the mesh's own resolver is pointed at until the test ends. Nothing is asked of the system's. */
export async function dnsServer(answer: DnsAnswer): Promise<DnsServer> {
  let questions = 0;
  const server: DnsServer = { answer, questions: () => questions };
  const socket = createSocket("udp4");
  socket.on("message", (question, { port, address }) => {
    if (typeOf(question) === TYPES.A) questions++;
    const reply = replyTo(question, server.answer);
    if (reply) socket.send(reply, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  useInstead(`127.0.0.1:${socket.address().port}`);
  onTestFinished(() => void socket.close());
  return server;
}

function useInstead(address: string): void {
  const dns = process.getBuiltinModule("node:dns/promises");
  const { Resolver } = dns;
  class LoopbackResolver extends Resolver {
    constructor(options?: ConstructorParameters<typeof Resolver>[0]) {
      super(options);
      this.setServers([address]);
    }
  }
  vi.spyOn(dns, "Resolver", "get" as never).mockReturnValue(LoopbackResolver as never);
  vi.spyOn(dns, "lookup").mockRejectedValue(Object.assign(new Error("the system does not know it either"), { code: "ENOTFOUND" }));
  onTestFinished(() => void vi.restoreAllMocks());
}

/** Where the name of the one question ends: behind its last, empty label. */
function endOfName(question: Buffer): number {
  let at = 12;
  while (question.readUInt8(at) !== 0) at += question.readUInt8(at) + 1;
  return at + 1;
}

function typeOf(question: Buffer): number {
  return question.readUInt16BE(endOfName(question));
}

function replyTo(question: Buffer, answer: DnsAnswer): Buffer | null {
  const isForA = typeOf(question) === TYPES.A;
  switch (answer.kind) {
    case "silence":
      return null;
    case "garbage":
      return Buffer.concat([question.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 9, 0xff, 0xff])]);
    case "refusal":
      return message(question, CODES[answer.code], []);
    case "nothing":
      return message(question, 0, []);
    case "wrong type":
      return message(question, 0, [record(TYPES.TXT, 1, Buffer.from("\x05hello"))]);
    case "addresses":
      return message(
        question,
        0,
        isForA ? answer.addresses.map((address) => record(TYPES.A, answer.ttlSeconds ?? 1, octets(address))) : [],
      );
    default:
      return answer satisfies never;
  }
}

function octets(address: string): Buffer {
  return Buffer.from(address.split(".").map(Number));
}

/** Its name is the question's. */
function record(type: number, ttlSeconds: number, data: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(ttlSeconds, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function message(question: Buffer, code: number, records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | code, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  return Buffer.concat([head, question.subarray(12, endOfName(question) + 4), ...records]);
}
