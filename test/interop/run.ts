import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { findSabotages } from "./differential/sabotage.ts";

/** `npm run test:interop`, with what Vitest takes behind `--`; `-- --sabotage` instead asks whether wrong matchers would be found. */
const args = process.argv.slice(2);
if (args.includes("--sabotage")) process.exitCode = (await findSabotages()) ? 0 : 1;
else {
  const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
  const child = spawn(process.execPath, [vitest, "run", "--config", "vitest.interop.config.ts", ...args], { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  process.exitCode = code ?? 1;
}
