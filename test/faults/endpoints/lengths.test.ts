import { type Fault, NOT_HTTP, survives } from "./fault.ts";
import { says } from "./setup.ts";

// What an answer says of its own length, and what it has.

function answer(
  name: string,
  headers: readonly string[],
  body: string,
  expected: Fault["expected"] = NOT_HTTP,
  more: Partial<Fault> = {},
): Fault {
  return { name, script: says(`HTTP/1.1 200 OK\r\n${headers.map((header) => `${header}\r\n`).join("")}\r\n${body}`), expected, ...more };
}

survives([
  answer("two lengths that differ", ["content-length: 2", "content-length: 4"], "okay"),
  answer("two lengths that agree", ["content-length: 2", "content-length: 2"], "ok"),
  answer("a list of lengths that differ", ["content-length: 2, 4"], "okay"),
  answer("a length and chunks", ["content-length: 2", "transfer-encoding: chunked"], "2\r\nok\r\n0\r\n\r\n"),
  answer("chunks and a length", ["transfer-encoding: chunked", "content-length: 2"], "2\r\nok\r\n0\r\n\r\n"),
  answer("a negative length", ["content-length: -2"], "ok"),
  answer("a length with a sign", ["content-length: +2"], "ok"),
  answer("a length of letters", ["content-length: two"], "ok"),
  answer("an empty length", ["content-length: "], "ok"),
  answer("a hexadecimal length", ["content-length: 0x2"], "ok"),
  answer("a length over 64 bits", ["content-length: 18446744073709551616"], "ok"),
  {
    name: "chunks within another coding, which only the end of the connection ends",
    script: async (connection) => {
      await connection.request();
      await connection.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, snappy\r\n\r\n2\r\nok\r\n0\r\n\r\n");
      connection.end();
    },
    expected: { status: 200, body: "2\r\nok\r\n0\r\n\r\n" },
  },
]);
