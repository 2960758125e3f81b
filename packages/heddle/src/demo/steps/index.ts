import type { Step } from "../step.ts";
import { authorizationEdits } from "./authorization-edits.ts";
import { brokenEdit } from "./broken-edit.ts";
import { canary } from "./canary.ts";
import { deadline } from "./deadline.ts";
import { edit } from "./edit.ts";
import { fallback } from "./fallback.ts";
import { flakyEndpoint } from "./flaky-endpoint.ts";
import { headerRoute } from "./header-route.ts";
import { killedProcess } from "./killed-process.ts";
import { mirror } from "./mirror.ts";
import { replacedRoot } from "./replaced-root.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { strangers } from "./strangers.ts";
import { webSocket } from "./web-socket.ts";

/** What the demo shows, in order. What comes after `edit` starts from what it left. */
export const STEPS: readonly Step[] = [
  canary,
  headerRoute,
  deadline,
  webSocket,
  flakyEndpoint,
  mirror,
  fallback,
  killedProcess,
  rollingRestart,
  edit,
  brokenEdit,
  strangers,
  authorizationEdits,
  replacedRoot,
];
