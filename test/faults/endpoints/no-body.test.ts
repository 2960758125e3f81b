import { describe, expect, test } from "vitest";
import { DOORS } from "./doors.ts";
import { type Fault, survives } from "./fault.ts";
import { atRest, closes, endpointOf, join, says } from "./setup.ts";

// Answers that have no body, and endpoints that send one nevertheless: it must not become the next answer.

const SMUGGLED = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

function none(name: string, bytes: string, status: number): Fault {
  return { name, script: says(bytes), expected: { status, body: "" } };
}

survives([
  none("204 with a length and a body", `HTTP/1.1 204 No Content\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, 204),
  none("204 with a body alone", `HTTP/1.1 204 No Content\r\n\r\n${SMUGGLED}`, 204),
  {
    ...none("204 with chunks", `HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`, 204),
    // node:http still holds the connection when what follows turns out to be no answer.
    agent: { status: 204, body: "", attempt: "protocol-error" },
  },
  none("304 with a length and a body", `HTTP/1.1 304 Not Modified\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`, 304),
  none("304 with a length and none", `HTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\nconnection: close\r\n\r\n`, 304),
]);

describe.each(DOORS)("through $name", (door) => {
  test("a body after the answer to HEAD is nobody's answer", async () => {
    const endpoint = await endpointOf();
    const mesh = await join([endpoint]);
    endpoint.next(says(`HTTP/1.1 200 OK\r\ncontent-length: ${SMUGGLED.length}\r\n\r\n${SMUGGLED}`));
    expect(await door.send(mesh, { method: "HEAD", url: "http://reviews/" })).toMatchObject({
      status: 200,
      body: "",
      headers: { "content-length": String(SMUGGLED.length) },
    });
    for (let call = 0; call < 3; call++) {
      expect(await door.send(mesh, { method: "GET", url: "http://reviews/" })).toMatchObject({ status: 200, body: "well" });
    }
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});
