import type { Step } from "../step.ts";
import { brokenEdit } from "./broken-edit.ts";
import { canary } from "./canary.ts";
import { edit } from "./edit.ts";
import { flakyEndpoint } from "./flaky-endpoint.ts";
import { headerRoute } from "./header-route.ts";
import { killedProcess } from "./killed-process.ts";

/** What the demo shows, in order. `brokenEdit` starts from what `edit` left. */
export const STEPS: readonly Step[] = [canary, headerRoute, flakyEndpoint, killedProcess, edit, brokenEdit];
