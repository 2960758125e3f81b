import { isDeepStrictEqual } from "node:util";
import type { MeshDocument, ServiceDocument } from "../../gen/document.ts";
import type { Kind } from "./kinds.ts";
import type { Mistakes } from "./mistakes.ts";

type Services = ReadonlyMap<string, ServiceDocument>;

/**
 * What was found right in the last versions of one document, so that what is the same object in the next version need not be checked
 * again. Everything that a check looks at beyond the object itself must be the same too, or only have grown where it looks for names.
 */
export class CheckMemory {
  readonly #shapes = new WeakMap<object, { readonly kind: Kind; readonly checked: object }>();
  #document: MeshDocument | undefined;
  #services: ReadonlySet<ServiceDocument> = new Set();

  /** The copy that was made of this value, or the value where it is such a copy, if there was no mistake in it. */
  shape(kind: Kind, value: unknown): object | undefined {
    const known = typeof value === "object" && value !== null ? this.#shapes.get(value) : undefined;
    return known?.kind === kind ? known.checked : undefined;
  }

  keepShape(kind: Kind, value: object, checked: object): void {
    const shape = { kind, checked };
    this.#shapes.set(value, shape);
    this.#shapes.set(checked, shape);
  }

  /** The services that may break a rule which concerns more than one key. */
  uncrossed(document: MeshDocument, services: Services): Services {
    if (!this.#document || !staysRight(this.#document, document)) return services;
    return new Map(Array.from(services).filter(([, service]) => !this.#services.has(service)));
  }

  keepCrossed(document: MeshDocument, services: Services, mistakes: Mistakes): void {
    this.#document = document;
    const right = Array.from(services).filter(([name]) => !mistakes.concerns(name));
    this.#services = new Set(right.map(([, service]) => service));
  }
}

/** Whether a service that broke no rule in the one document breaks none in the other. */
function staysRight(before: MeshDocument, now: MeshDocument): boolean {
  if (!isDeepStrictEqual([before.defaults, before.policies, before.mesh], [now.defaults, now.policies, now.mesh])) return false;
  return Object.entries(before.services ?? {}).every(([name, service]) => {
    const next = now.services && Object.hasOwn(now.services, name) ? now.services[name] : undefined;
    return (
      next === service ||
      (next !== undefined && Object.keys(service.subsets ?? {}).every((subset) => Object.hasOwn(next.subsets ?? {}, subset)))
    );
  });
}
