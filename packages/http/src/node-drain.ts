import type { ServerResponse } from "node:http";

/** Tells the caller, on any answer, to send its next requests elsewhere. */
export const DRAINING_HEADER = "x-heddle-draining";

/** Call before the head is written. HTTP/1 connections end with this answer. */
export function tellDraining(response: ServerResponse): void {
  response.setHeader(DRAINING_HEADER, "1");
  if (response.req.httpVersionMajor === 1) response.setHeader("connection", "close");
}
