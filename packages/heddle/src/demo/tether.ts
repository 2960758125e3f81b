import type { Inspection, JoinedMesh } from "../index.ts";

/** What the demo asks a service. */
export interface Question {
  readonly kind: "inspect";
  readonly id: number;
}

/** What a service tells the demo. */
export type Answer = { readonly kind: "serving" } | { readonly kind: "inspection"; readonly id: number; readonly inspection: Inspection };

/**
 * Ties a service to the demo that started it: lets the demo look inside, and ends the process when the demo is gone, however it went.
 * Called once the service listens. A service of your own needs nothing of this.
 */
export function tether(mesh: Pick<JoinedMesh, "inspect">): void {
  const tell = (answer: Answer) => process.send?.(answer);
  process.on("message", ({ kind, id }: Question) => {
    if (kind === "inspect") tell({ kind: "inspection", id, inspection: mesh.inspect() });
  });
  process.on("disconnect", () => process.exit(1));
  if (process.connected === false) process.exit(1);
  // The listeners above would keep a service alive that has closed its mesh.
  process.channel?.unref();
  // A terminal sends Ctrl-C to every process at once; the demo ends its services in order.
  process.on("SIGINT", () => {});
  process.on("SIGHUP", () => {});
  tell({ kind: "serving" });
}
