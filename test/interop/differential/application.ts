import type { IncomingMessage, ServerResponse } from "node:http";
import { type Answer, COMPARED_HEADERS } from "./cases.ts";
import type { RawAnswer } from "./raw-connection.ts";

/** Says what it was asked. Behind Envoy and in our mesh it is the same. */
export function application({ url, headers }: IncomingMessage, response: ServerResponse): void {
  const compared = Object.fromEntries(COMPARED_HEADERS.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
  response.setHeader("connection", "keep-alive");
  response.end(JSON.stringify({ path: url, headers: compared }));
}

const DENIED = "RBAC: access denied";
/** Of a token that is valid for somebody else Envoy says 403. */
const OTHER_AUDIENCE = "Audiences in Jwt are not allowed";

/** What an answer means. Statuses of denials differ: Envoy says 403 to those of whom nobody knows who they are, too. */
export function answerOf({ status, body }: RawAnswer): Answer {
  if (status === 200) return { decision: "allowed", ...(JSON.parse(body) as Pick<Answer, "path" | "headers">) };
  if (body === DENIED && (status === 403 || status === 401)) return { decision: "denied", path: null, headers: {} };
  if (status === 401 || (status === 403 && body === OTHER_AUDIENCE)) return { decision: "unauthenticated", path: null, headers: {} };
  if (status === 400) return { decision: "refused", path: null, headers: {} };
  throw new Error(`nobody expected ${status} ${JSON.stringify(body)}`);
}
