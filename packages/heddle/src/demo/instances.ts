/** One process of the demo. */
export interface Instance {
  readonly name: string;
  readonly service: "web" | "catalog" | "catalog-next" | "reviews" | "ratings" | "live" | "suggestions";
  readonly version: string | null;
  readonly port: number;
  /** Fails one of so many requests; 0: none. */
  readonly failEvery: number;
}

const INSTANCES: readonly Omit<Instance, "port">[] = [
  { name: "web", service: "web", version: null, failEvery: 0 },
  { name: "catalog-1", service: "catalog", version: null, failEvery: 0 },
  { name: "catalog-2", service: "catalog", version: null, failEvery: 5 },
  { name: "catalog-next", service: "catalog-next", version: null, failEvery: 1 },
  { name: "reviews-v1-1", service: "reviews", version: "v1", failEvery: 0 },
  { name: "reviews-v1-2", service: "reviews", version: "v1", failEvery: 0 },
  { name: "reviews-v2-1", service: "reviews", version: "v2", failEvery: 0 },
  { name: "ratings-1", service: "ratings", version: null, failEvery: 0 },
  { name: "ratings-2", service: "ratings", version: null, failEvery: 0 },
  { name: "ratings-3", service: "ratings", version: null, failEvery: 0 },
  { name: "live-1", service: "live", version: null, failEvery: 0 },
  { name: "live-2", service: "live", version: null, failEvery: 0 },
  { name: "suggestions", service: "suggestions", version: null, failEvery: 0 },
];

export const INSTANCE_COUNT: number = INSTANCES.length;

/** The processes, each with its port. */
export function instancesOn(ports: readonly number[]): readonly Instance[] {
  return INSTANCES.map((instance, index) => {
    const port = ports[index];
    if (port === undefined) throw new RangeError(`${INSTANCES.length} ports are needed, ${ports.length} were given`);
    return { ...instance, port };
  });
}

export function addressOf({ port }: Instance): string {
  return `127.0.0.1:${port}`;
}
