import type { Socket } from "node:net";
import type { RawRequest } from "./raw-endpoint.ts";

type Part = "head" | "body";

interface Pending {
  readonly part: Part;
  resolve(request: RawRequest | null): void;
}

/** Reads requests from a socket, one after the other, as far as it is asked to. Knows content-length and chunked, no more. */
export class RequestReader {
  readonly #socket: Socket;
  readonly #heads: RawRequest[];
  readonly #requests: RawRequest[];
  #bytes = "";
  /** The head whose body is being read. */
  #current: RawRequest | null = null;
  #pending: Pending | null = null;
  #isStarted = false;
  #hasEnded = false;

  constructor(socket: Socket, heads: RawRequest[], requests: RawRequest[]) {
    this.#socket = socket;
    this.#heads = heads;
    this.#requests = requests;
  }

  next(part: Part): Promise<RawRequest | null> {
    this.#start();
    return new Promise((resolve) => {
      this.#pending = { part, resolve };
      this.#advance();
    });
  }

  #start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const ended = () => {
      this.#hasEnded = true;
      this.#advance();
    };
    this.#socket.on("data", (data) => {
      this.#bytes += data.toString("latin1");
      this.#advance();
    });
    this.#socket.once("end", ended);
    this.#socket.once("close", ended);
    this.#socket.resume();
  }

  #advance(): void {
    this.#current ??= this.#readHead();
    if (this.#pending === null) return;
    if (this.#pending.part === "head" && this.#current) this.#settle(this.#current);
    else if (this.#pending.part === "body" && this.#current) {
      const body = this.#readBody(this.#current);
      if (body !== null) {
        const request = { ...this.#current, body };
        this.#current = null;
        this.#requests.push(request);
        this.#settle(request);
      } else if (this.#hasEnded) this.#settle(null);
    } else if (this.#hasEnded) this.#settle(null);
  }

  #settle(request: RawRequest | null): void {
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve(request);
  }

  #readHead(): RawRequest | null {
    const end = this.#bytes.indexOf("\r\n\r\n");
    if (end < 0) return null;
    const [line = "", ...fields] = this.#bytes.slice(0, end).split("\r\n");
    this.#bytes = this.#bytes.slice(end + 4);
    const [method = "", path = ""] = line.split(" ");
    const headers: Record<string, string> = {};
    for (const field of fields) {
      const colon = field.indexOf(":");
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    const head = { method, path, headers, body: "" };
    this.#heads.push(head);
    return head;
  }

  /** The body once it is complete, taken from what was read. */
  #readBody({ headers }: RawRequest): string | null {
    if (headers["transfer-encoding"] !== undefined) return this.#readChunks();
    const length = Number(headers["content-length"] ?? 0);
    if (this.#bytes.length < length) return null;
    return this.#take(length);
  }

  #readChunks(): string | null {
    let body = "";
    for (let at = 0; ; ) {
      const line = this.#bytes.indexOf("\r\n", at);
      if (line < 0) return null;
      const size = Number.parseInt(this.#bytes.slice(at, line), 16);
      if (this.#bytes.length < line + 2 + size + 2) return null;
      body += this.#bytes.slice(line + 2, line + 2 + size);
      at = line + 2 + size + 2;
      if (size > 0) continue;
      this.#take(at);
      return body;
    }
  }

  #take(length: number): string {
    const taken = this.#bytes.slice(0, length);
    this.#bytes = this.#bytes.slice(length);
    return taken;
  }
}
