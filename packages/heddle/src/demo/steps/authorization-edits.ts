import type { JoinedMesh } from "../../join.ts";
import { joinAs, statusThrough } from "../caller.ts";
import { type Contents, idOf } from "../document.ts";
import type { LogLine } from "../log-tail.ts";
import type { Stage, Step } from "../step.ts";
import { unlessCancelled, until } from "../wait.ts";

const SPLIT = { v1: 50, v2: 50 };

interface Change {
  readonly says: string;
  readonly contents: Contents;
  readonly expected: { readonly status: number; readonly authorization: string };
}

const CHANGES: readonly Change[] = [
  { says: "let in", contents: { ...SPLIT, guests: ["stranger"] }, expected: { status: 200, authorization: "guests" } },
  {
    says: "banned",
    contents: { ...SPLIT, guests: ["stranger"], banned: ["stranger"] },
    expected: { status: 403, authorization: "banned" },
  },
  { says: "forgotten", contents: SPLIT, expected: { status: 403, authorization: "not_allowed" } },
];

export const authorizationEdits: Step = {
  title: "authorization: edits let a stranger in, and ban it",
  async run(stage) {
    const { load, document, show, cancel } = stage;
    const window = load.open();
    await using stranger = await unlessCancelled(joinAs("stranger", document), cancel);
    const seen: string[] = [];
    for (const { says, contents, expected } of CHANGES) {
      show(() => `the stranger is ${says}`);
      document.write(document.text(contents));
      const ms = await untilDecided(expected, stranger, stage);
      seen.push(`${says} ${Math.round(ms)} ms after an edit (${expected.status} by ${expected.authorization})`);
    }
    window.close();
    return {
      held: window.failures === 0,
      seen: `${seen.join(", ")}; ${window.failures} of ${window.requests} requests of users failed`,
    };
  },
};

/** As many times in a row as go to every process of reviews, and by the rule that reviews itself names. */
function untilDecided({ status, authorization }: Change["expected"], stranger: JoinedMesh, { fleet, ...waiting }: Stage): Promise<number> {
  const IN_A_ROW = 9;
  let row = 0;
  return until(`reviews answered the stranger ${status} by ${authorization}`, 8_000, waiting, async () => {
    const answered = await statusThrough(stranger, "GET", "http://reviews/reviews/7");
    row = answered === status ? row + 1 : 0;
    const line: LogLine | null = fleet.lastLogged(idOf("stranger"));
    return row >= IN_A_ROW && line?.authorization === authorization;
  });
}
