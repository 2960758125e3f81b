import { type Fault, NOT_HTTP, NOT_HTTP_IN_BODY, survives } from "./fault.ts";
import { says } from "./setup.ts";

// What is not HTTP/1.1, or not quite.

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

function garbage(name: string, bytes: string, expected: Fault["expected"] = NOT_HTTP, more: Partial<Fault> = {}): Fault {
  return { name, script: says(bytes), expected, ...more };
}

survives([
  garbage("words", "this is not HTTP\r\n\r\n"),
  garbage("an answer of HTTP/0.9", "<html>well</html>"),
  garbage("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  garbage("settings of HTTP/2", "\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80"),
  garbage("a TLS alert", "\x15\x03\x01\x00\x02\x02\x0a"),
  garbage("an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n"),
  garbage("NULs", "\x00".repeat(64)),
  garbage("a NUL in a header", "HTTP/1.1 200 OK\r\nx-a: a\x00b\r\ncontent-length: 2\r\n\r\nok"),
  garbage("HTTP/1.9 in the status line", "HTTP/1.9 200 OK\r\ncontent-length: 2\r\n\r\nok"),
  garbage("a status of two digits", "HTTP/1.1 20\r\ncontent-length: 2\r\n\r\nok"),
  garbage("a status of letters", "HTTP/1.1 abc OK\r\ncontent-length: 2\r\n\r\nok"),
  garbage("a status of four digits", "HTTP/1.1 2000 OK\r\ncontent-length: 2\r\n\r\nok"),
  garbage("a request", "GET / HTTP/1.1\r\nhost: reviews\r\n\r\n"),
  garbage("bare LFs", "HTTP/1.1 200 OK\ncontent-length: 2\n\nok"),
  garbage("a bare LF after a header", "HTTP/1.1 200 OK\r\nx-a: 1\ncontent-length: 2\r\n\r\nok"),
  garbage("a bare CR after a header", "HTTP/1.1 200 OK\r\nx-a: 1\rcontent-length: 2\r\n\r\nok"),
  garbage("a chunk size of letters", `${CHUNKED}zz\r\nok\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("a negative chunk size", `${CHUNKED}-2\r\nok\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("a chunk size with 0x", `${CHUNKED}0x2\r\nok\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("no chunk size", `${CHUNKED}\r\nok\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("a chunk size over 64 bits", `${CHUNKED}${"f".repeat(17)}\r\nok\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("a chunk longer than its size", `${CHUNKED}2\r\nokay\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("a chunk ended by a bare LF", `${CHUNKED}2\r\nok\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  garbage("a chunk size ended by a bare LF", `${CHUNKED}2\nok\r\n0\r\n\r\n`, NOT_HTTP_IN_BODY),
  // Of these two node:http tells its caller nothing but that it is over, or that 101 was the answer.
  garbage(
    "an upgrade that nobody asked for",
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
    NOT_HTTP,
    { isNotForAgents: true },
  ),
  garbage("a 101 without what it switches to", "HTTP/1.1 101 Switching Protocols\r\n\r\n", NOT_HTTP, { isNotForAgents: true }),
  garbage("empty lines before the status line", `\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok`, {
    status: 200,
    body: "ok",
  }),
  garbage("chunk extensions", `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2;a=b;c="d"\r\nok\r\n0\r\n\r\n`, {
    status: 200,
    body: "ok",
  }),
]);
