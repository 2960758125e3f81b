import type { Problem } from "../model/problem.ts";
import type { Path, Places } from "./document/places.ts";
import { API_VERSION } from "./document/schema.ts";
import { translateDocument } from "./document/translate.ts";
import type { ControlSource } from "./source.ts";
import { documentReader, snapshotReader, tell } from "./tell.ts";
import { checkWritten, type DocumentSource, type Loaded, type WrittenDocument } from "./written-document.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

const NAME = "environment";

/** As .NET Aspire injects: `services__<service>__<endpoint>__<index>`; .NET does not distinguish case here. */
const ASPIRE = /^services__(.+)__(https?)__(\d+)$/i;
const SIMPLE = /^([A-Z][A-Z0-9_]*)_HTTP$/;

/**
 * Services and their endpoints from environment variables, read once: `services__reviews__http__0=http://127.0.0.1:9081` as .NET Aspire
 * injects them, or `REVIEWS_HTTP=127.0.0.1:9081,127.0.0.1:9082` (underscores of the name mean dashes; a URL may be given too). The
 * former wins where both name a service. `HEDDLE_SERVICE` is a service too, without endpoints: a name to join as.
 */
export function envSource(env: Environment): ControlSource {
  const read = readEnvironment(env);
  const load = (isAlone: boolean): Loaded<WrittenDocument> => {
    const loaded = checkWritten(read.document, NAME, read.places, isAlone);
    return read.problems.length === 0 ? loaded : { value: null, problems: [...read.problems, ...loaded.problems] };
  };
  const source: DocumentSource = {
    name: NAME,
    watch(sink) {
      const { value, problems } = load(true);
      tell(snapshotReader(NAME, sink), { value: value && translateDocument(value.document, value.places), problems }, false);
      return () => {};
    },
    watchDocuments(sink, _clock, standing) {
      tell(documentReader(NAME, sink, standing), load(standing.isAlone), false);
      return () => {};
    },
  };
  return source;
}

/** Whether a variable says where a service is. */
export function hasEnvironmentServices(env: Environment): boolean {
  return readEnvironment({ ...env, HEDDLE_SERVICE: undefined }).variables.size > 0;
}

interface Given {
  readonly variable: string;
  readonly address: string;
}

interface ReadEnvironment {
  readonly document: object;
  readonly places: Places;
  readonly problems: readonly Problem[];
  /** For each service, who says what. */
  readonly variables: ReadonlyMap<string, readonly Given[]>;
}

function readEnvironment(env: Environment): ReadEnvironment {
  const problems: Problem[] = [];
  const variables = readAspire(env, problems);
  for (const [name, given] of readSimple(env, problems)) {
    const isKnown = [...variables.keys()].some((known) => known.replaceAll("_", "-") === name);
    if (!isKnown) variables.set(name, given);
  }
  const services: Record<string, object> = Object.create(null);
  for (const [name, given] of variables) services[name] = { endpoints: given.map(({ address }) => ({ address })) };
  const own = env.HEDDLE_SERVICE;
  if (own) services[own] ??= {};
  const variable = ([section, name, , index]: Path): string => {
    const given = section === "services" ? variables.get(String(name)) : undefined;
    return (given?.[Number(index)] ?? given?.[0])?.variable ?? (name === own ? "HEDDLE_SERVICE" : NAME);
  };
  return { document: { apiVersion: API_VERSION, services }, places: { where: variable, origin: variable }, problems, variables };
}

function readAspire(env: Environment, problems: Problem[]): Map<string, readonly Given[]> {
  const found = Object.entries(env).flatMap(([variable, value]) => {
    const [, name = "", scheme = "", index] = ASPIRE.exec(variable) ?? [];
    return value && index !== undefined
      ? [{ name: name.toLowerCase(), isPlain: scheme.toLowerCase() === "http", index: Number(index), variable, value }]
      : [];
  });
  found.sort((one, other) => one.index - other.index);
  const services = new Map<string, readonly Given[]>();
  for (const { name, isPlain, variable, value } of found) {
    // Aspire gives most services both: what speaks plain HTTP is what a mesh wants.
    if (!isPlain && found.some((other) => other.isPlain && other.name === name)) continue;
    const address = addressOf(value, variable, problems);
    services.set(name, [...(services.get(name) ?? []), ...(address === null ? [] : [{ variable, address }])]);
  }
  return services;
}

function readSimple(env: Environment, problems: Problem[]): ReadonlyMap<string, readonly Given[]> {
  const services = new Map<string, readonly Given[]>();
  for (const [variable, value] of Object.entries(env)) {
    const [, name] = SIMPLE.exec(variable) ?? [];
    // `ENABLE_HTTP=true`, `REVIEWS_SERVICE_PORT_HTTP=80`: others use such names too, but not with an address.
    if (name === undefined || !value || !/[.:]/.test(value)) continue;
    const given = value.split(",").flatMap((item) => {
      const address = addressOf(item.trim(), variable, problems);
      return address === null ? [] : [{ variable, address }];
    });
    services.set(name.toLowerCase().replaceAll("_", "-"), given);
  }
  return services;
}

/** What stands in a variable as the address of an endpoint; null, and a problem, if it can be none. The form of an address is checked later. */
function addressOf(value: string, variable: string, problems: Problem[]): string | null {
  if (!value.includes("://")) return value;
  const url = URL.canParse(value) ? new URL(value) : null;
  // Nothing but the address: no path, query, fragment, user or password.
  const isPlain = url !== null && url.href === `http://${url.host}/`;
  if (url && isPlain) return `${url.hostname}:${url.port || "80"}`;
  const because = url?.protocol === "https:" ? "; https is not built in this version" : "";
  problems.push({
    where: variable,
    message: `found ${JSON.stringify(value)}, expected host:port or http://host:port, without a path${because}`,
    severity: "error",
  });
  return null;
}
