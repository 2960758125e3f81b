import { Agent, get } from "node:http";
import { join } from "node:path";
import { MeshError } from "@heddle/core";
import { DEV_DIR } from "@heddle/spiffe";
import { identity } from "../../identity.ts";
import { type JoinedMesh, joinMesh } from "../../join.ts";
import type { MeshDocument } from "../document.ts";
import { addressOf } from "../instances.ts";
import type { Stage, Step } from "../step.ts";
import { unlessCancelled, until } from "../wait.ts";

const SPLIT = { v1: 50, v2: 50 };
const PATH = "/reviews/7";

export const stranger: Step = {
  title: "authorization: reviews lets web in, and a stranger once it is named",
  async run(stage) {
    const { load, fleet, document, show, cancel } = stage;
    const window = load.open();
    await using mesh = await unlessCancelled(joinAs("stranger", document), cancel);
    show(() => "a stranger calls reviews");
    const before = await askReviews(mesh);
    const plain = await unlessCancelled(statusOf(`http://${addressOf(fleet.process("reviews-v1-1").instance)}${PATH}`), cancel);
    show(() => "the stranger is named in the document");
    document.write(document.text({ ...SPLIT, guests: ["stranger"] }));
    const inMs = await untilAnswered(200, mesh, stage);
    document.write(document.text(SPLIT));
    const outMs = await untilAnswered(403, mesh, stage);
    window.close();
    return {
      held: before === 403 && plain === 403 && window.failures === 0,
      seen:
        `with a certificate of another name ${before}, in plain text ${plain}; let in ${Math.round(inMs)} ms after an edit, ` +
        `out ${Math.round(outMs)} ms after the next; ${window.failures} of ${window.requests} requests of others failed`,
    };
  },
};

/** Another process of the mesh, as far as the others can tell: it has a certificate of the same authority. */
function joinAs(service: string, document: MeshDocument): Promise<JoinedMesh> {
  // That a development authority is none for production has been said by eleven processes.
  const dev = identity.dev({ dir: join(document.folder, DEV_DIR), service });
  return joinMesh({ config: document.path, identity: dev, onProblem() {} });
}

async function askReviews(mesh: JoinedMesh): Promise<number> {
  try {
    const reply = await mesh.request(`http://reviews${PATH}`, { mesh: { timeout: "5s" } });
    await reply.discard();
    return reply.status;
  } catch (error) {
    // A process that takes the edit up a moment later than another answers as the other will.
    if (error instanceof MeshError) return error.status;
    throw error;
  }
}

/** All endpoints of reviews answer so: as many times in a row as go to each of them. */
async function untilAnswered(status: number, mesh: JoinedMesh, { cancel, clock }: Stage): Promise<number> {
  const IN_A_ROW = 9;
  let row = 0;
  return until(`reviews answered the stranger ${status}`, 8_000, { cancel, clock }, async () => {
    row = (await askReviews(mesh)) === status ? row + 1 : 0;
    return row >= IN_A_ROW;
  });
}

function statusOf(url: string): Promise<number> {
  const agent = new Agent();
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", reject);
  });
}
