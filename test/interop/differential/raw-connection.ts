import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import type { Caller } from "./cases.ts";

export interface RawAnswer {
  readonly status: number;
  readonly body: string;
}

/** How a caller proves who it is. */
export type SecureContexts = (id: string) => SecureContext;

const ANSWER_MS = 60_000;

/** Writes requests as they are, one after the other, on a connection that is opened when there is none. */
export class RawConnection {
  readonly #to: { readonly host: string; readonly port: number };
  readonly #caller: Caller;
  readonly #contexts: SecureContexts;
  #socket: Socket | null = null;

  constructor(to: { readonly host: string; readonly port: number }, caller: Caller, contexts: SecureContexts) {
    this.#to = to;
    this.#caller = caller;
    this.#contexts = contexts;
  }

  async send(text: string): Promise<RawAnswer> {
    this.#socket ??= await this.#dial();
    const socket = this.#socket;
    let received = "";
    return await new Promise<RawAnswer>((resolve, reject) => {
      const settle = (settled: () => void, keep: boolean) => {
        socket.removeAllListeners("data").removeAllListeners("close").removeAllListeners("timeout").setTimeout(0);
        if (!keep) this.close();
        settled();
      };
      socket.setTimeout(ANSWER_MS, () => settle(() => reject(new Error(`no answer in ${ANSWER_MS} ms to ${JSON.stringify(text)}`)), false));
      socket.on("data", (part: string) => {
        received += part;
        const answer = answerIn(received);
        if (answer !== null) settle(() => resolve(answer), !answer.closes);
      });
      socket.once("close", () =>
        settle(() => reject(new Error(`the connection ended after ${JSON.stringify(received)}, asked for ${JSON.stringify(text)}`)), false),
      );
      socket.write(text, "latin1");
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = null;
  }

  async #dial(): Promise<Socket> {
    const { id, sni, address } = this.#caller;
    const plain = connectTcp({ ...this.#to, localAddress: address });
    const socket =
      id === null
        ? plain
        : connectTls({
            socket: plain,
            secureContext: this.#contexts(id),
            // Whom it meets is what other tests are about.
            rejectUnauthorized: false,
            ...(sni !== "" && { servername: sni }),
            ALPNProtocols: ["http/1.1"],
          });
    await once(socket, id === null ? "connect" : "secureConnect");
    // What is wrong later ends the connection, which is told by `close`.
    socket.on("error", () => {});
    socket.setNoDelay(true);
    return socket.setEncoding("latin1");
  }
}

/** null: it is not whole yet. */
function answerIn(received: string): (RawAnswer & { readonly closes: boolean }) | null {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = received.slice(0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  const closes = /\r\nconnection: *close/i.test(head);
  if (length === undefined) throw new Error(`an answer without a length: ${JSON.stringify(head)}`);
  const body = received.slice(end + 4);
  return body.length < Number(length) ? null : { status, body, closes };
}
