import { ABORTED, type Fault, RESET, RESET_IN_BODY, survives } from "./fault.ts";
import { type RawConnection, turns } from "./raw-endpoint.ts";

// A connection that ends where it should not, by RST and by FIN.

const HEAD = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n";
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/** Says this much of an answer; then the connection ends. */
function after(said: string, end: (connection: RawConnection) => void): Fault["script"] {
  return async (connection) => {
    await connection.request();
    await connection.writeSeen(said);
    end(connection);
  };
}

/** The same, once the caller has the head. */
function afterHead(said: string, end: (connection: RawConnection) => void): Fault["script"] {
  return async (connection, hasHead) => {
    await connection.request();
    await connection.writeSeen(said);
    await hasHead;
    end(connection);
  };
}

/** The request is in the kernel, and stays there. */
function unread(end: (connection: RawConnection) => void): Fault["script"] {
  return async (connection) => {
    await turns();
    end(connection);
  };
}

const reset = (connection: RawConnection) => connection.reset();
const fin = (connection: RawConnection) => connection.end();

const ends = [
  ["RST", reset, RESET_IN_BODY],
  ["FIN", fin, ABORTED],
] as const;

survives([
  ...ends.flatMap(([kind, end, agent]): Fault[] => [
    { name: `${kind} before the head`, script: after("", end), expected: RESET },
    { name: `${kind} in the status line`, script: after("HTTP/1.1 20", end), expected: RESET },
    { name: `${kind} in a header`, script: after("HTTP/1.1 200 OK\r\ncontent-le", end), expected: RESET },
    { name: `${kind} before the empty line`, script: after("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n", end), expected: RESET },
    { name: `${kind} after the head`, script: afterHead(HEAD, end), expected: RESET_IN_BODY, agent },
    {
      name: `${kind} in a body with its length`,
      script: afterHead(`${HEAD}12345`, end),
      expected: RESET_IN_BODY,
      agent,
    },
    {
      name: `${kind} in a body with its length, on a connection that was to close`,
      script: afterHead(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 10\r\n\r\n12345`, end),
      expected: RESET_IN_BODY,
      agent,
    },
    { name: `${kind} before the first chunk`, script: afterHead(CHUNKED, end), expected: RESET_IN_BODY, agent },
    { name: `${kind} in a chunk`, script: afterHead(`${CHUNKED}a\r\n12345`, end), expected: RESET_IN_BODY, agent },
    {
      name: `${kind} between chunks`,
      script: afterHead(`${CHUNKED}5\r\n12345\r\n`, end),
      expected: RESET_IN_BODY,
      agent,
    },
    {
      name: `${kind} in the last chunk`,
      script: afterHead(`${CHUNKED}5\r\n12345\r\n0\r\n`, end),
      expected: RESET_IN_BODY,
      agent,
    },
    {
      name: `${kind} between chunks, on a connection that was to close`,
      script: afterHead(`HTTP/1.1 200 OK\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n5\r\n12345\r\n`, end),
      expected: RESET_IN_BODY,
      agent,
    },
  ]),
  {
    name: "FIN ends a body that has no length",
    script: afterHead("HTTP/1.1 200 OK\r\n\r\n12345", fin),
    expected: { status: 200, body: "12345" },
  },
  {
    name: "FIN ends a body of HTTP/1.0",
    script: afterHead("HTTP/1.0 200 OK\r\n\r\n12345", fin),
    expected: { status: 200, body: "12345" },
  },
  {
    name: "RST in a body that has no length",
    script: afterHead("HTTP/1.1 200 OK\r\n\r\n12345", reset),
    expected: RESET_IN_BODY,
  },
  ...ends.map(([kind, end]): Fault => ({ name: `${kind} before the request was read`, script: unread(end), expected: RESET })),
  {
    name: "RST in the middle of the request's head",
    script: (connection) => {
      connection.socket.once("data", () => connection.reset());
      connection.socket.resume();
    },
    expected: RESET,
  },
]);
