import type { ServerResponse } from "node:http";
import { ATTEMPT_COUNT_HEADER, type InboundRequestContext, wasRetriedBelow } from "@heddle/core";

/**
 * Call before the head is written. A failure that calls of the application had retried in vain says so: each hop above would only
 * repeat those retries, and they would multiply.
 */
export function tellRetried(response: ServerResponse, status: number, inbound: InboundRequestContext): void {
  if (status >= 400 && wasRetriedBelow(inbound)) response.setHeader(ATTEMPT_COUNT_HEADER, "2");
}
