import type { MeshDocument, ServiceDocument } from "../../gen/document.ts";
import type { Backend } from "../../model/backend.ts";
import type { EndpointSet } from "../../model/endpoint-set.ts";
import type { InboundPolicy } from "../../model/inbound-policy.ts";
import type { VirtualHost } from "../../model/virtual-host.ts";
import type { Places } from "./places.ts";

/** What one service is in the model. */
export interface ServiceParts {
  readonly virtualHost: VirtualHost;
  /** Of the service, then of its subsets. */
  readonly backends: readonly Backend[];
  readonly endpointSet: EndpointSet;
  readonly inboundPolicy: InboundPolicy;
}

interface Translated {
  readonly parts: ServiceParts;
  readonly origin: string;
}

/**
 * What the services of the last version were translated into. One is translated again if it is another object, stands in another place,
 * or inherits from something that changed or moved.
 */
export class TranslationMemory {
  #inherited = "";
  #known: ReadonlyMap<ServiceDocument, Translated> = new Map();
  #next = new Map<ServiceDocument, Translated>();

  begin(document: MeshDocument, places: Places): void {
    const inherited = inheritedOf(document, places);
    if (inherited !== this.#inherited) this.#known = new Map();
    this.#inherited = inherited;
    this.#next = new Map();
  }

  parts(service: ServiceDocument, origin: string, translate: () => ServiceParts): ServiceParts {
    const known = this.#known.get(service);
    const translated = known?.origin === origin ? known : { origin, parts: translate() };
    this.#next.set(service, translated);
    return translated.parts;
  }

  /** Only what is in this version is remembered. */
  end(): void {
    this.#known = this.#next;
    this.#next = new Map();
  }
}

/** All that services take from elsewhere, and where that stands. */
function inheritedOf({ defaults = {}, policies = {}, mesh }: MeshDocument, places: Places): string {
  const origins = Object.keys(defaults).map((key) => places.origin(["defaults", key]));
  for (const [name, policy] of Object.entries(policies))
    for (const key of Object.keys(policy)) origins.push(places.origin(["policies", name, key]));
  return JSON.stringify([defaults, policies, { ...mesh, egress: undefined }, origins]);
}
