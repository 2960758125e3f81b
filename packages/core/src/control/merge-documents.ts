import type { MeshDocument } from "../gen/document.ts";
import type { Path, Places } from "./document/places.ts";
import { API_VERSION } from "./document/schema.ts";
import { PART_DEPTH } from "./removals.ts";
import type { WrittenDocument } from "./written-document.ts";

/** A document and the rank of its source; of two that give the same part, the later one wins. */
export interface RankedDocument {
  readonly written: WrittenDocument;
  /** The position of its source among the sources. */
  readonly rank: number;
}

/** One part of the merged document: a value that comes whole from one document. */
export interface Part {
  readonly path: Path;
  readonly value: unknown;
  readonly by: RankedDocument;
}

export interface MergedDocument {
  /** Not yet checked as a whole: what one document says may contradict another. */
  readonly document: MeshDocument;
  /** Leads every path to the document that gave it. */
  readonly places: Places;
  readonly parts: readonly Part[];
  /** The rank of the highest source that gave one of these keys of a service; undefined where nobody did. */
  rankOf(service: string, isMeant: (key: string, value: unknown) => boolean): number | undefined;
  /** Who gave this part; undefined where nobody did. */
  giver(path: Path): RankedDocument | undefined;
}

/** Merges documents in order: of each part the last one that was given, until a later null. */
export function mergeDocuments(documents: readonly RankedDocument[]): MergedDocument {
  const merge = new Merge();
  for (const ranked of documents) merge.add(ranked);
  return merge.result(documents[0]);
}

interface MergedService {
  /** The first document since the last removal that has the service. */
  readonly by: RankedDocument;
  readonly parts: Map<string, Part>;
}

/** `$schema` is for editors, `apiVersion` each document has for itself. */
const UNMERGED: ReadonlySet<string> = new Set(["$schema", "apiVersion", "services"]);

class Merge {
  /** `mesh`, `defaults`, `policies`, `resources`: parts by key. */
  readonly #sections = new Map<string, Map<string, Part>>();
  readonly #services = new Map<string, MergedService>();

  add(by: RankedDocument): void {
    const { document, removals } = by.written;
    for (const path of removals) this.#remove(path);
    for (const [section, held] of Object.entries(document)) {
      if (UNMERGED.has(section)) continue;
      const parts = this.#section(section);
      if (PART_DEPTH[section] === undefined) parts.set("", { path: [section], value: held, by });
      else for (const [key, value] of Object.entries(held as object)) parts.set(key, { path: [section, key], value, by });
    }
    for (const [name, service] of Object.entries(document.services ?? {})) {
      const merged = this.#service(name, by);
      for (const [key, value] of Object.entries(service)) merged.parts.set(key, { path: ["services", name, key], value, by });
    }
  }

  result(first: RankedDocument | undefined): MergedDocument {
    const giver = (path: Path): RankedDocument | undefined => this.#giver(path);
    const written = (path: Path): WrittenDocument | undefined => (giver(path) ?? first)?.written;
    return {
      document: this.#document(),
      places: {
        where: (path, of) => written(path)?.places.where(path, of) ?? "document",
        origin: (path) => written(path)?.places.origin(path) ?? "document",
      },
      parts: [
        ...[...this.#sections.values()].flatMap((parts) => [...parts.values()]),
        ...[...this.#services.values()].flatMap(({ parts }) => [...parts.values()]),
      ],
      rankOf: (service, isMeant) => this.#rankOf(service, isMeant),
      giver,
    };
  }

  #remove([section, name, key]: Path): void {
    if (section !== "services") this.#sections.get(String(section))?.delete(String(name));
    else if (key === undefined) this.#services.delete(String(name));
    else this.#services.get(String(name))?.parts.delete(String(key));
  }

  #section(name: string): Map<string, Part> {
    const known = this.#sections.get(name);
    if (known) return known;
    const parts = new Map<string, Part>();
    this.#sections.set(name, parts);
    return parts;
  }

  #service(name: string, by: RankedDocument): MergedService {
    const known = this.#services.get(name);
    if (known) return known;
    const merged: MergedService = { by, parts: new Map() };
    this.#services.set(name, merged);
    return merged;
  }

  #document(): MeshDocument {
    const document: Record<string, unknown> = { apiVersion: API_VERSION };
    for (const [section, parts] of this.#sections) {
      document[section] = PART_DEPTH[section] === undefined ? parts.get("")?.value : valuesOf(parts);
    }
    const services: Record<string, unknown> = Object.create(null);
    for (const [name, merged] of this.#services) services[name] = wholeOf(name, merged) ?? valuesOf(merged.parts);
    // Each document was checked by itself, and the whole is checked before it is used.
    return { ...document, services } as MeshDocument;
  }

  #giver([section, name, key]: Path): RankedDocument | undefined {
    if (section !== "services") {
      const parts = this.#sections.get(String(section));
      return (parts?.get(String(name)) ?? parts?.get("") ?? parts?.values().next().value)?.by;
    }
    const service = this.#services.get(String(name));
    return service?.parts.get(String(key))?.by ?? service?.by;
  }

  #rankOf(name: string, isMeant: (key: string, value: unknown) => boolean): number | undefined {
    let highest: number | undefined;
    for (const [key, { value, by }] of this.#services.get(name)?.parts ?? []) {
      if (isMeant(key, value) && (highest === undefined || by.rank > highest)) highest = by.rank;
    }
    return highest;
  }
}

/** A service that one document gives all of, as the object that it is there: what is the same object as before is not looked at again. */
function wholeOf(name: string, { by, parts }: MergedService): unknown {
  const service = by.written.document.services?.[name];
  if (service === undefined || Object.keys(service).length !== parts.size) return undefined;
  for (const part of parts.values()) if (part.by !== by) return undefined;
  return service;
}

function valuesOf(parts: ReadonlyMap<string, Part>): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = Object.create(null);
  for (const [key, { value }] of parts) values[key] = value;
  return values;
}
