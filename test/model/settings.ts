import fc from "fast-check";

/** What the model varies of the configuration; everything else stands still. Plain data, so that a counterexample can be read and pasted. */
export interface Settings {
  /** Whether the document has `reviews` at all. */
  readonly isPresent: boolean;
  /** Which of the endpoints of `reviews` are there: one bit each. */
  readonly endpoints: number;
  /** Which of them are `v2`: one bit each. */
  readonly labels: number;
  readonly balancer: "peak-ewma" | "least-request" | "round-robin" | "random";
  readonly timeout: Timeout | null;
  readonly retry: Retry | "off" | null;
  readonly breaker: { readonly consecutiveFailures: number; readonly openFor: number } | null;
  readonly outlier: { readonly consecutiveFailures: number; readonly baseEjection: number; readonly maxEjectionPercent: number } | null;
  readonly limits: { readonly maxConnections: number; readonly maxPending: number; readonly maxRequests: number } | null;
  readonly emptyWait: number | null;
  readonly isSplit: boolean;
  readonly fault: "delay" | "abort" | null;
  readonly isMirrored: boolean;
  readonly fallback: "respond" | "service" | null;
  readonly db: ResourceSettings;
}

export interface Timeout {
  readonly total: number | null;
  readonly head: number | null;
  readonly idle: number | null;
}

export interface Retry {
  readonly maxRetries: number;
  readonly on: "default" | "everything";
  /** Whether the document says that a POST may be repeated. */
  readonly consents: boolean;
  readonly perTry: number | null;
  readonly budget: Budget;
}

export interface Budget {
  readonly percent: number;
  readonly minPerSecond: number;
}

export interface ResourceSettings {
  readonly timeout: number | null;
  readonly maxRetries: number;
  readonly budget: Budget;
  readonly hasBreaker: boolean;
  readonly maxRequests: number | null;
  readonly maxPending: number;
}

export const ENDPOINTS: readonly string[] = [1, 2, 3, 4, 5].map((last) => `127.0.0.1:908${last}`);
export const DETAILS: readonly string[] = ["127.0.0.1:9091", "127.0.0.1:9092"];
export const SPARE = "127.0.0.1:9093";
export const SHADOW = "127.0.0.1:9094";

const budget = fc.record({ percent: fc.constantFrom(20, 50, 0), minPerSecond: fc.constantFrom(0, 1) });

const retry: fc.Arbitrary<Retry> = fc.record({
  maxRetries: fc.integer({ min: 1, max: 3 }),
  on: fc.constantFrom("everything", "everything", "default"),
  consents: fc.boolean(),
  perTry: fc.constantFrom(null, 30, 100),
  budget,
});

const timeout: fc.Arbitrary<Timeout> = fc.record({
  total: fc.constantFrom(null, null, 60, 300, 2_000),
  head: fc.constantFrom(null, 50, 200),
  idle: fc.constantFrom(null, 40),
});

const resource: fc.Arbitrary<ResourceSettings> = fc.record({
  timeout: fc.constantFrom(null, 40, 500),
  maxRetries: fc.integer({ min: 0, max: 2 }),
  budget,
  hasBreaker: fc.boolean(),
  maxRequests: fc.constantFrom(null, 1, 2),
  maxPending: fc.integer({ min: 0, max: 2 }),
});

const ALL_BITS = 2 ** ENDPOINTS.length - 1;

/** One arbitrary for each part. Most configurations have what can go wrong: retries, few endpoints, short timeouts. */
export const SETTINGS: { readonly [Part in keyof Settings]: fc.Arbitrary<Settings[Part]> } = {
  isPresent: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  endpoints: fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: ALL_BITS }) }, { weight: 1, arbitrary: fc.constant(0) }),
  labels: fc.integer({ min: 0, max: ALL_BITS }),
  balancer: fc.constantFrom("peak-ewma", "least-request", "round-robin", "random"),
  timeout: fc.option(timeout, { freq: 3 }),
  retry: fc.oneof(
    { weight: 6, arbitrary: retry },
    { weight: 1, arbitrary: fc.constant("off" as const) },
    { weight: 1, arbitrary: fc.constant(null) },
  ),
  breaker: fc.option(fc.record({ consecutiveFailures: fc.integer({ min: 1, max: 6 }), openFor: fc.constantFrom(50, 1_000) }), { freq: 2 }),
  outlier: fc.option(
    fc.record({
      consecutiveFailures: fc.integer({ min: 1, max: 3 }),
      baseEjection: fc.constantFrom(100, 3_000),
      maxEjectionPercent: fc.constantFrom(50, 20, 100),
    }),
    { freq: 4 },
  ),
  limits: fc.option(
    fc.record({
      maxConnections: fc.integer({ min: 1, max: 3 }),
      maxPending: fc.integer({ min: 0, max: 3 }),
      maxRequests: fc.integer({ min: 1, max: 6 }),
    }),
    { freq: 2 },
  ),
  emptyWait: fc.constantFrom(null, 80, 400),
  isSplit: fc.boolean(),
  fault: fc.constantFrom(null, null, null, "delay", "abort"),
  isMirrored: fc.boolean(),
  fallback: fc.constantFrom(null, null, "respond", "service"),
  db: resource,
};

/** What the document must not say together (docs/configuration.md): such an edit is refused. */
export function isConsistent({ isPresent, timeout: bounds, retry: tries, db: resource }: Settings): boolean {
  const spends = (maxRetries: number, { percent, minPerSecond }: Budget) => maxRetries === 0 || percent > 0 || minPerSecond > 0;
  if (!spends(resource.maxRetries, resource.budget)) return false;
  if (!isPresent) return true;
  const total = bounds?.total ?? Number.POSITIVE_INFINITY;
  const head = bounds?.head ?? Number.POSITIVE_INFINITY;
  if (bounds?.head && head > total) return false;
  if (tries === null || tries === "off") return true;
  return (tries.perTry ?? 0) <= Math.min(total, head) && spends(tries.maxRetries, tries.budget);
}

export const settings: fc.Arbitrary<Settings> = fc
  .record({ ...SETTINGS, isPresent: fc.constant(true), endpoints: fc.integer({ min: 1, max: ALL_BITS }) })
  .filter(isConsistent);

/** An edit changes one part. */
export const edit: fc.Arbitrary<Partial<Settings>> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ endpoints: SETTINGS.endpoints }) },
  { weight: 1, arbitrary: fc.record({ isPresent: fc.boolean() }) },
  ...Object.entries(SETTINGS)
    .filter(([part]) => part !== "endpoints" && part !== "isPresent")
    .map(([part, arbitrary]) => ({
      weight: 1,
      arbitrary: fc.record({ [part]: arbitrary as fc.Arbitrary<unknown> }) as fc.Arbitrary<Partial<Settings>>,
    })),
);

/** Documents that must not come into force. */
export const BROKEN: readonly ((document: Readonly<Record<string, unknown>>) => object)[] = [
  (document) => ({ ...document, apiVersion: "heddle/v9" }),
  (document) => ({ ...document, services: { reviews: { endpoints: [{ address: "nowhere" }] } } }),
  (document) => ({ ...document, services: { reviews: { endpoint: [] } } }),
  (document) => ({ ...document, services: { reviews: { endpoints: [], routes: [{ to: [{ subset: "v9" }] }] } } }),
  (document) => ({ ...document, services: { reviews: { endpoints: [], timeout: "10ms", retry: { perTryTimeout: "20ms" } } } }),
  () => ({}),
];

/** The addresses of `reviews`, or of one of its subsets. */
export function addressesOf({ endpoints, labels }: Settings, backend: string): readonly string[] {
  const isIn = (bits: number, index: number) => (bits & (1 << index)) !== 0;
  return ENDPOINTS.filter((_, index) => {
    if (!isIn(endpoints, index)) return false;
    if (backend === "reviews") return true;
    return backend === (isIn(labels, index) ? "reviews/v2" : "reviews/v1");
  });
}

/** `at`: where an endpoint really is. Default: where its address says. */
export function documentOf(given: Settings, at: (address: string) => string = (address) => address): Readonly<Record<string, unknown>> {
  return {
    apiVersion: "heddle/v1",
    mesh: { egress: "deny" },
    services: {
      ...(given.isPresent && { reviews: reviews(given, at) }),
      details: { endpoints: DETAILS.map((address) => ({ address: at(address) })), timeout: "1s", retry: {} },
      spare: { endpoints: [{ address: at(SPARE) }] },
      shadow: { endpoints: [{ address: at(SHADOW) }] },
    },
    resources: { db: db(given.db) },
  };
}

function reviews(given: Settings, at: (address: string) => string): object {
  const v2 = addressesOf(given, "reviews/v2");
  return {
    endpoints: addressesOf(given, "reviews").map((address) => ({
      address: at(address),
      labels: { version: v2.includes(address) ? "v2" : "v1" },
    })),
    subsets: { v1: { labels: { version: "v1" } }, v2: { labels: { version: "v2" } } },
    balancer: { policy: given.balancer },
    ...(given.timeout && { timeout: timeoutOf(given.timeout) }),
    ...(given.retry !== null && { retry: given.retry === "off" ? "off" : retryOf(given.retry) }),
    breaker: given.breaker ? { ...given.breaker, failurePercent: "off", openFor: given.breaker.openFor } : "off",
    outlier: given.outlier ?? "off",
    ...(given.limits && { limits: given.limits }),
    ...(given.emptyWait !== null && { whenEmpty: { wait: given.emptyWait } }),
    ...(given.fault === "delay" && { fault: { delay: { percent: 50, duration: 30 } } }),
    ...(given.fault === "abort" && { fault: { abort: { percent: 30, status: 503 } } }),
    ...(given.isMirrored && { mirror: { service: "shadow", percent: 60 } }),
    ...(given.fallback && { fallback: fallbackOf(given.fallback) }),
    routes: [
      { name: "gone", match: { path: { prefix: "/gone" } }, respond: { status: 410, body: "gone", headers: { "x-local": "respond" } } },
      { name: "moved", match: { path: { exact: "/moved" } }, redirect: { path: "/new", status: 308 } },
      given.isSplit
        ? {
            name: "main",
            to: [
              { subset: "v1", weight: 1 },
              { subset: "v2", weight: 1 },
            ],
          }
        : { name: "main" },
    ],
  };
}

function timeoutOf({ total, head, idle }: Timeout): object | string {
  return { ...(total !== null && { total }), ...(head !== null && { head }), ...(idle !== null && { idle }) };
}

function retryOf({ maxRetries, on, consents, perTry, budget: { percent, minPerSecond } }: Retry): object {
  return {
    maxRetries,
    ...(on === "everything" && { on: ["5xx", "retriable-4xx", 429] }),
    ...(consents && { methods: ["GET", "PUT", "POST"] }),
    ...(perTry !== null && { perTryTimeout: perTry }),
    backoff: { base: 5, max: 20 },
    budget: { percent, minPerSecond },
  };
}

function fallbackOf(kind: "respond" | "service"): object {
  const on = ["breaker-open", "no-endpoint", "overloaded", "connect-failure", "reset", "attempt-timeout", "5xx"];
  if (kind === "service") return { on, service: "spare" };
  return { on: [...on, "deadline"], respond: { status: 203, body: "instead", headers: { "x-local": "fallback" } } };
}

function db({ timeout: total, maxRetries, budget: spends, hasBreaker, maxRequests, maxPending }: ResourceSettings): object {
  return {
    ...(total !== null && { timeout: total }),
    retry: maxRetries === 0 ? "off" : { maxRetries, backoff: { base: 5, max: 20 }, budget: spends },
    ...(hasBreaker && { breaker: { consecutiveFailures: 3, failurePercent: "off", openFor: 200 } }),
    ...(maxRequests !== null && { limits: { maxRequests, maxPending } }),
  };
}
