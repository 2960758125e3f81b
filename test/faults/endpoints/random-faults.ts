import { createHash } from "node:crypto";
import type { Random } from "@heddle/core";
import { type RawConnection, type RawRequest, type Script, turns } from "./raw-endpoint.ts";
import { WELL } from "./setup.ts";

/** One of many, by a random number. */
export function oneOf<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

export function sumOf(body: string): string {
  return createHash("sha256").update(body, "latin1").digest("hex");
}

interface Framed {
  readonly head: string;
  readonly body: string;
}

/** An answer that can be told from every other: it names its request, and has a checksum. */
function answerTo({ headers }: RawRequest, random: Random): Framed {
  const content = Array.from({ length: Math.floor(random() * 40) }, () => random().toString(36)).join("\n");
  const head = `HTTP/1.1 200 OK\r\nx-id: ${headers["x-id"]}\r\nx-sum: ${sumOf(content)}\r\n`;
  if (random() < 0.5) return { head: `${head}content-length: ${content.length}\r\n\r\n`, body: content };
  const chunks = content.match(/[\s\S]{1,100}/g) ?? [];
  const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
  return { head: `${head}transfer-encoding: chunked\r\n\r\n`, body: `${body}0\r\n\r\n` };
}

type Fault = (connection: RawConnection, random: Random) => unknown;

/** What comes instead of an answer: some of one, or something else, and then how it goes on. */
function instead(say: (answer: Framed) => string, then: "RST" | "FIN" | "silence"): Fault {
  return async (connection, random) => {
    const request = await connection.request();
    if (!request) return;
    await connection.writeSeen(say(answerTo(request, random)));
    if (then === "RST") connection.reset();
    else if (then === "FIN") connection.end();
  };
}

const nothing = () => "";
const halfHead = ({ head }: Framed) => head.slice(0, head.length / 2);
const headAlone = ({ head }: Framed) => head;
/** Never all of it, whatever its length. */
const halfBody = ({ head, body }: Framed) => (body === "" ? head.slice(0, -2) : head + body.slice(0, body.length / 2));

const FAULTS: readonly Fault[] = [
  // Nothing is read.
  () => undefined,
  (connection) => connection.reset(),
  (connection) => connection.end(),
  ...[nothing, halfHead, halfBody].flatMap((say) => [instead(say, "RST"), instead(say, "FIN"), instead(say, "silence")]),
  instead(({ head, body }) => (body === "" ? "" : headAlone({ head, body })), "FIN"),
  instead(() => "SSH-2.0-OpenSSH_9.6\r\n", "silence"),
  instead(() => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 4\r\n\r\nevil", "silence"),
  instead(() => "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nevil\r\n", "silence"),
  instead(() => "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nbusy", "silence"),
  instead(() => "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", "silence"),
  instead(({ head, body }) => `HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n`.repeat(50) + head + body, "silence"),
  instead(({ head, body }) => `${head + body}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`, "silence"),
  instead(({ head, body }) => `${head}${body}`, "FIN"),
  // A refusal before the body was read.
  async (connection) => {
    if (await connection.head()) await connection.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    connection.end();
  },
  // An answer, and a 408 while nobody asks.
  async (connection) => {
    if (await connection.request()) await connection.write(WELL.replace("connection: close\r\n", "").replace("200 OK", "202 Accepted"));
    await turns(20);
    await connection.write("HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    connection.end();
  },
  // A byte at a time.
  async (connection, random) => {
    const request = await connection.request();
    if (!request) return;
    const { head, body } = answerTo(request, random);
    for (const byte of `${head}${body}`.slice(0, 400)) await connection.write(byte);
    await connection.write(`${head}${body}`.slice(400));
  },
];

/** Some good answers on each connection, then a fault; all of it decided by the connection's own number. */
export function randomly(randomOf: (connection: number) => Random): Script {
  return async (connection) => {
    const random = randomOf(connection.number);
    const fault = oneOf(random, FAULTS);
    for (let good = Math.floor(random() * 5); good > 0; good--) {
      const request = await connection.request();
      if (!request) return;
      const { head, body } = answerTo(request, random);
      await connection.write(head + body);
    }
    await fault(connection, random);
  };
}
