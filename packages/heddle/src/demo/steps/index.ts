import type { Frameworks } from "../scripts.ts";
import type { Step } from "../step.ts";
import { authorizationEdits } from "./authorization-edits.ts";
import { brokenEdit } from "./broken-edit.ts";
import { canary } from "./canary.ts";
import { deadline } from "./deadline.ts";
import { edit } from "./edit.ts";
import { fallback } from "./fallback.ts";
import { flakyEndpoint } from "./flaky-endpoint.ts";
import { grpcCrash } from "./grpc-crash.ts";
import { grpcEdit } from "./grpc-edit.ts";
import { grpcStrangers } from "./grpc-strangers.ts";
import { headerRoute } from "./header-route.ts";
import { killedProcess } from "./killed-process.ts";
import { mirror } from "./mirror.ts";
import { replacedRoot } from "./replaced-root.ts";
import { rollingRestart } from "./rolling-restart.ts";
import { strangers } from "./strangers.ts";
import { webSocket } from "./web-socket.ts";

const OF_GRPC: ReadonlySet<Step> = new Set([grpcCrash, grpcStrangers, grpcEdit]);

/** What the demo shows, in order. What comes after `edit` starts from what it left. */
const STEPS: readonly Step[] = [
  canary,
  headerRoute,
  deadline,
  webSocket,
  flakyEndpoint,
  mirror,
  fallback,
  killedProcess,
  grpcCrash,
  rollingRestart,
  edit,
  brokenEdit,
  strangers,
  grpcStrangers,
  authorizationEdits,
  grpcEdit,
  replacedRoot,
];

/** Those that what is installed here can show. */
export function stepsFor({ grpc }: Frameworks): readonly Step[] {
  return STEPS.filter((step) => grpc || !OF_GRPC.has(step));
}
