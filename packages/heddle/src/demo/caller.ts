import { Agent, get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { MeshError } from "@heddle/core";
import { DEV_DIR } from "@heddle/spiffe";
import { identity } from "../identity.ts";
import { type JoinedMesh, joinMesh } from "../join.ts";
import type { MeshDocument } from "./document.ts";

const LIMIT_MS = 10_000;

/** Another process of the mesh, as far as the others can tell: its certificate is of the same authority, and says it is `service`. */
export function joinAs(service: string, document: MeshDocument): Promise<JoinedMesh> {
  // That a development authority is none for production has been said by every service of the demo.
  return joinMesh({ config: document.path, identity: identity.dev({ dir: join(document.folder, DEV_DIR), service }), onProblem() {} });
}

/** With what status a service answers, or the mesh in its place. */
export async function statusThrough(mesh: JoinedMesh, method: "GET" | "POST", url: string): Promise<number> {
  try {
    const reply = await mesh.request(url, { method, mesh: { timeout: "5s" } });
    await reply.discard();
    return reply.status;
  } catch (error) {
    if (error instanceof MeshError) return error.status;
    throw error;
  }
}

/** The same for one that has no certificate: as status, and the mesh's own word for why. */
export function askInPlainText(url: string): Promise<string> {
  const agent = new Agent();
  return new Promise((resolve, reject) => {
    const answered = (response: IncomingMessage) => {
      response.resume();
      resolve([response.statusCode, response.headers["x-heddle-error"]].filter(Boolean).join(" "));
    };
    const request = get(url, { agent }, answered);
    request.setTimeout(LIMIT_MS, () => request.destroy(new Error(`no answer within ${LIMIT_MS / 1_000} s`)));
    request.on("error", reject);
  });
}
