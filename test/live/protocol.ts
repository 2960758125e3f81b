import type { JoinedMesh } from "heddle";
import type { ServedProtocol } from "./server-process.ts";
import type { Conversation, Traffic } from "./traffic.ts";

/** What the tests of this folder need to know of a protocol to hold it to the same text as the other. */
export interface LiveProtocol {
  readonly name: ServedProtocol;
  /** In the document of a service that speaks it. */
  readonly service: object;
  /** A retry policy under which no request may fail because its server does. */
  readonly retry: object;
  /** A match that the traffic does not meet. */
  readonly oldMatch: object;
  /** Settings under which an endpoint has just so many connections while 32 callers ask. */
  readonly held: { readonly settings: object; readonly connections: number };
  /** `posts`: every fourth caller of HTTP posts; what may not be repeated must not fail either. */
  start(mesh: JoinedMesh, service: string, options: { readonly posts: boolean }): Traffic;
  /** null: it has nothing that lasts. */
  readonly converse: ((mesh: JoinedMesh, service: string) => Conversation) | null;
}
