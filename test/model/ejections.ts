import type { InspectedBackend } from "@heddle/core";
import type { Coverage } from "./coverage.ts";
import type { World } from "./world.ts";

interface Seen {
  readonly out: number;
  readonly ejections: number;
  readonly breaker: string;
}

/** Watches what outlier detection and breakers do between two commands. */
export class Watch {
  #seen = new Map<string, Seen>();

  /** After every command. An edit may leave too many ejected, because it removes those that were well; nothing may eject one more then. */
  look(world: World): readonly string[] {
    const violations: string[] = [];
    const { outlier } = world.configuration.current;
    const seen = new Map<string, Seen>();
    for (const backend of world.test.mesh.inspect().backends) {
      const now = countsOf(backend);
      const before = this.#seen.get(backend.name) ?? { out: 0, ejections: 0, breaker: "none" };
      seen.set(backend.name, now);
      note(world.coverage, before, now);
      if (backend.inFlight < 0 || backend.pending < 0 || backend.endpoints.some(({ inFlight }) => inFlight < 0))
        violations.push(`${backend.name} has less than nothing in flight: ${JSON.stringify(backend)}`);
      if (!backend.name.startsWith("reviews") || now.out <= before.out) continue;
      const total = backend.endpoints.length;
      const most = outlier === null ? 0 : Math.min(total - 1, Math.floor((total * outlier.maxEjectionPercent) / 100));
      if (now.out > Math.max(most, before.out))
        violations.push(`${backend.name}: ${now.out} of ${total} endpoints are out, at most ${most} may be`);
    }
    this.#seen = seen;
    return violations;
  }
}

function countsOf({ endpoints, breaker }: InspectedBackend): Seen {
  return {
    out: endpoints.filter(({ state }) => state === "ejected").length,
    ejections: endpoints.reduce((sum, { ejections }) => sum + ejections, 0),
    breaker,
  };
}

function note(coverage: Coverage, before: Seen, now: Seen): void {
  coverage.ejections += Math.max(0, now.ejections - before.ejections);
  if (now.breaker === "open" && before.breaker !== "open") coverage["breakers opened"]++;
}
