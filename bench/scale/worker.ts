/** The process of one probe: `node worker.ts MODULE SETUP`. It does what its parent says and ends with it. */
import type { OpenProbe, ProbeAnswer, ProbeOrder, ProbeSetup } from "./probe.ts";

const [module, setup] = process.argv.slice(2);
if (!process.send || module === undefined || setup === undefined) throw new TypeError("worker.ts is started by run.ts");

process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches the whole group; the parent decides when its children end.
process.on("SIGINT", () => {});

function answer(message: ProbeAnswer): void {
  process.send?.(message);
}

function fail(error: unknown): void {
  answer({ kind: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

try {
  const { open } = (await import(module)) as { readonly open: OpenProbe<unknown> };
  const probe = await open(JSON.parse(setup) as ProbeSetup<unknown>);

  const obey = async (order: ProbeOrder): Promise<void> => {
    if (order.kind === "round") {
      answer({ kind: "readings", readings: await probe.round(order.durationMs) });
      return;
    }
    await probe.close();
    process.disconnect();
    process.exit(0);
  };

  process.on("message", (order: ProbeOrder) => {
    obey(order).catch(fail);
  });
  answer({ kind: "ready" });
} catch (error) {
  fail(error);
}
