import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A connection on which a test writes HTTP itself. */
export interface RawClient {
  readonly socket: Duplex;
  write(text: string): void;
  /** Everything received so far, once it holds `text`; rejects if the connection ends before. */
  until(text: string): Promise<string>;
  /** Everything received, once the server has closed the connection. */
  ended(): Promise<string>;
  /** Forgets what was received. */
  clear(): void;
}

export async function rawClient(port: number): Promise<RawClient & { readonly socket: Socket }> {
  const socket = connect(port, "127.0.0.1");
  const client = rawClientOver(socket);
  await once(socket, "connect");
  return { ...client, socket };
}

/** On a connection that stands, or will. */
export function rawClientOver(socket: Duplex): RawClient {
  let received = "";
  let check = () => {};
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
    check();
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    socket,
    write: (text) => socket.write(text),
    until: (text) =>
      new Promise((resolve, reject) => {
        check = () => {
          if (received.includes(text)) resolve(received);
        };
        check();
        void closed.then(() => reject(new Error(`the connection ended after ${JSON.stringify(received)}`)));
      }),
    ended: async () => {
      await closed;
      return received;
    },
    clear: () => {
      received = "";
    },
  };
}

export function get(path: string, headers: readonly string[] = []): string {
  return `${[`GET ${path} HTTP/1.1`, "host: reviews", ...headers].join("\r\n")}\r\n\r\n`;
}
