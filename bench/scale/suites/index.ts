import type { Experiment } from "../experiment.ts";
import { GROWTH } from "./growth.ts";
import { IMPORT } from "./import.ts";
import { MATCH } from "./match.ts";
import { MEMORY } from "./memory.ts";
import { PICK } from "./pick.ts";
import { POLICIES } from "./policies.ts";
import { SECURITY } from "./security.ts";
import { UPDATE } from "./update.ts";

export const EXPERIMENTS: readonly Experiment[] = [...PICK, ...MATCH, ...UPDATE, ...MEMORY, ...IMPORT, ...SECURITY, ...POLICIES, ...GROWTH];
