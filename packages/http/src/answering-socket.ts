import { Duplex } from "node:stream";
import type { MeshResponse } from "@heddle/core";
import { nodeHttp } from "./node-http.ts";

/** A connection that takes whatever is written and gives one answer of the mesh's own, for clients that know answers only from sockets. */
export function answeringSocket(response: MeshResponse): Duplex {
  const socket = new AnsweringSocket();
  const lines = [`HTTP/1.1 ${response.status} ${nodeHttp.STATUS_CODES[response.status] ?? ""}`, "connection: close"];
  for (const [name, values] of Object.entries(response.headers))
    if (name !== "connection") for (const value of [values ?? []].flat()) lines.push(`${name}: ${value}`);
  socket.push(`${lines.join("\r\n")}\r\n\r\n`);
  response.body.attach({
    data: (chunk) => void socket.push(chunk),
    end: () => void socket.push(null),
    fail: (error) => void socket.destroy(error as Error),
  });
  return socket;
}

class AnsweringSocket extends Duplex {
  override _read(): void {}

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  // What clients set on sockets means nothing here.

  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }
}
