import { type ControlSource, loadDocument, type Timer } from "@heddle/core";

/** What a registry says: where the processes of each service listen. */
export type Registry = Readonly<Record<string, readonly string[]>>;

/** A control source of one's own: asks a registry every second, tells each state once, and each trouble once. */
export function registrySource(ask: () => Promise<Registry>): ControlSource {
  return {
    name: "registry",
    watch(sink, clock) {
      let timer: Timer | undefined;
      let told = "";
      let isClosed = false;
      const look = async () => {
        const heard = await ask().then(
          (registry) => ({ registry, error: null }),
          (error: unknown) => ({ registry: {}, error: String(error) }),
        );
        if (isClosed) return;
        timer = clock.setTimer(1_000, look, "idle");
        if (JSON.stringify(heard) === told) return;
        told = JSON.stringify(heard);
        if (heard.error !== null) {
          sink.problem({ where: "registry", message: `it cannot be read: ${heard.error}`, severity: "error" });
          return;
        }
        const services = Object.entries(heard.registry).map(([name, all]) => [name, { endpoints: all.map((address) => ({ address })) }]);
        const { snapshot, problems } = loadDocument({ apiVersion: "heddle/v1", services: Object.fromEntries(services) }, "registry");
        if (snapshot) sink.update(snapshot);
        for (const problem of problems) sink.problem(problem);
      };
      void look();
      return () => {
        isClosed = true;
        if (timer) clock.clearTimer(timer);
      };
    },
  };
}
