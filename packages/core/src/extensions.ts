import {
  assertExtensions,
  type BalancerFactory,
  type EndpointFilter,
  type ExtensionOptions,
  type LayerFactory,
  type NamedPolicy,
} from "./extension-options.ts";
import { guardLayer } from "./guard-layer.ts";
import { type Layer, type LayerPlace, layersAt } from "./layer.ts";
import type { LayerReference } from "./model/layer-reference.ts";
import type { Problem } from "./model/problem.ts";
import { nearest } from "./nearest.ts";

const NO_REFERENCES: readonly LayerReference[] = [];

/** What the code of the application gives, looked up by the names that configurations use. */
export class Extensions {
  readonly #options: ExtensionOptions;
  /** By name and settings, so that a layer keeps its state for as long as the configuration says the same of it. */
  readonly #made = new Map<string, Layer>();
  readonly #chains = new Map<LayerPlace, WeakMap<readonly LayerReference[], readonly Layer[]>>();
  readonly #given: ReadonlyMap<LayerPlace, readonly Layer[]>;

  /** Throws TypeError for what could not be called. */
  constructor(options: ExtensionOptions = {}) {
    assertExtensions(options);
    this.#options = options;
    const places: readonly LayerPlace[] = ["request", "attempt", "inbound"];
    this.#given = new Map(
      places.map((place) => [
        place,
        layersAt(place, options.layers ?? []).map((layer) => guardLayer(layer, layer.name || `layers at ${place}`)),
      ]),
    );
    for (const place of places) this.#chains.set(place, new WeakMap());
  }

  /** Those for every service, then those that were named, outermost first. The same references give the same array. */
  layers(place: LayerPlace, references: readonly LayerReference[] = NO_REFERENCES): readonly Layer[] {
    const chains = this.#chains.get(place);
    let layers = chains?.get(references);
    if (!layers) {
      const named = references.filter(({ at }) => at === place).map((reference) => this.#make(reference));
      layers = [...(this.#given.get(place) ?? []), ...named];
      chains?.set(references, layers);
    }
    return layers;
  }

  /** Why a layer that was named cannot be had: no code gives it, or its factory throws. */
  checkLayer(reference: LayerReference): Problem | null {
    const { use, origin } = reference;
    if (this.#factory(use) === undefined)
      return unknownName(origin, `the layer ${JSON.stringify(use)}`, use, "namedLayers", this.#options.namedLayers);
    try {
      this.#make(reference);
      return null;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { where: origin, message: `the layer ${JSON.stringify(use)} could not be made: ${message}`, severity: "error" };
    }
  }

  /** Forgets the layers that these do not name. */
  keepLayers(references: Iterable<LayerReference>): void {
    const kept = new Set(Array.from(references, keyOf));
    for (const key of this.#made.keys()) if (!kept.has(key)) this.#made.delete(key);
  }

  endpointFilter(service: string): EndpointFilter | null {
    return own(this.#options.endpointFilters, service) ?? null;
  }

  get filteredServices(): readonly string[] {
    return Object.keys(this.#options.endpointFilters ?? {});
  }

  balancer(name: string): BalancerFactory | undefined {
    return own(this.#options.balancers, name);
  }

  checkBalancer(name: string, where: string): Problem | null {
    if (this.balancer(name)) return null;
    return unknownName(where, `the balancer "custom:${name}"`, name, "balancers", this.#options.balancers);
  }

  policy(name: string): NamedPolicy | undefined {
    return own(this.#options.namedPolicies, name);
  }

  checkPolicy(name: string, where: string): Problem | null {
    if (this.policy(name)) return null;
    return unknownName(where, `the policy ${JSON.stringify(name)}`, name, "namedPolicies", this.#options.namedPolicies);
  }

  #factory(name: string): LayerFactory | undefined {
    return own(this.#options.namedLayers, name);
  }

  #make(reference: LayerReference): Layer {
    const key = keyOf(reference);
    const known = this.#made.get(key);
    if (known) return known;
    const factory = this.#factory(reference.use);
    // Nothing comes into force that was not checked.
    if (!factory) throw new TypeError(`no code gives the layer ${reference.use}`);
    const made: unknown = factory(structuredClone(reference.settings));
    if (typeof made !== "function") throw new TypeError("its factory gave no function (next) => (request) => reply");
    const layer = guardLayer(made as Layer, reference.use);
    this.#made.set(key, layer);
    return layer;
  }
}

function keyOf({ use, at, settings }: LayerReference): string {
  return `${at} ${use} ${JSON.stringify(settings)}`;
}

function own<Held>(given: Readonly<Record<string, Held>> | undefined, name: string): Held | undefined {
  return given !== undefined && Object.hasOwn(given, name) ? given[name] : undefined;
}

function unknownName(where: string, what: string, name: string, option: string, given: object | undefined): Problem {
  const known = Object.keys(given ?? {});
  const meant = nearest(name, known);
  const there = known.length === 0 ? `the code gives no ${option}` : `${option} has ${known.join(", ")}`;
  return {
    where,
    message: `${what} is not known: ${there}${meant === null ? "" : `; did you mean ${JSON.stringify(meant)}?`}`,
    severity: "error",
  };
}
