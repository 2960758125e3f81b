/** The process of one variant: `node worker.ts MODULE SETUP`. It does what its parent says and ends with it. */
import { runSlot } from "./load.ts";
import type { Setup, VariantAnswer, VariantOrder } from "./protocol.ts";
import type { OpenVariant } from "./variant.ts";

const [module, setup] = process.argv.slice(2);
if (!process.send || module === undefined || setup === undefined) throw new TypeError("worker.ts is started by run.ts");

process.on("disconnect", () => process.exit(1));
// Ctrl-C reaches the whole group; the parent decides when its children end.
process.on("SIGINT", () => {});

function answer(message: VariantAnswer): void {
  process.send?.(message);
}

function fail(error: unknown): void {
  answer({ kind: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
}

process.on("uncaughtException", fail);
process.on("unhandledRejection", fail);

try {
  const { open } = (await import(module)) as { readonly open: OpenVariant };
  const variant = await open(JSON.parse(setup) as Setup);
  let requests = 0;

  const obey = async (order: VariantOrder): Promise<void> => {
    switch (order.kind) {
      case "slot": {
        const result = await runSlot(variant, order.slot);
        requests += result.requests;
        answer({ kind: "slot", result });
        return;
      }
      case "verify":
        answer({ kind: "facts", requests, facts: (await variant.verify?.(requests, order.counts)) ?? [] });
        return;
      case "close":
        await variant.close();
        process.disconnect();
        process.exit(0);
    }
  };

  process.on("message", (order: VariantOrder) => {
    obey(order).catch(fail);
  });
  answer({ kind: "ready" });
} catch (error) {
  fail(error);
}
