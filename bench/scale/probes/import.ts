import type { OpenProbe } from "../probe.ts";

/**
 * What it costs to import core and http once undici is there. Node's own HTTP and DNS are part of the bill: whoever imports the mesh
 * pays for them. A process can tell this once.
 */
export const open: OpenProbe<object> = async () => {
  await import("undici");
  return {
    async round() {
      const { heldBytes } = await import("./heap.ts");
      const held = await heldBytes();
      const { rss } = process.memoryUsage();
      const cpu = process.cpuUsage();
      await import("@heddle/core");
      await import("@heddle/http");
      const { user, system } = process.cpuUsage(cpu);
      const resident = process.memoryUsage().rss - rss;
      return { cpu: (user + system) / 1_000, resident: resident / 1e6, heap: ((await heldBytes()) - held) / 1e6 };
    },
    async close() {},
  };
};
