import { parsePrincipal } from "../../authorization/terms/value-forms.ts";
import type { MeshDocument } from "../../gen/document.ts";
import { parseSpiffeId } from "../../identity/names/spiffe-id.ts";
import { nearest } from "../../nearest.ts";
import { identitiesOf } from "./translate-security.ts";

/** Suggestions compare with every known ID: worth it for a few, not for thousands. */
const MOST_SUGGESTIONS = 20;

interface Identities {
  /** Of services, by their names. */
  readonly ofServices: ReadonlyMap<string, readonly string[]>;
  readonly ids: ReadonlySet<string>;
  readonly trustDomains: ReadonlySet<string>;
}

/** The identities that a document names, by which a rule is seen to have another in mind than it says. Read when first asked for. */
export class KnownIdentities {
  readonly #document: MeshDocument;
  #identities: Identities | undefined;
  #suggestions = 0;

  constructor(document: MeshDocument) {
    this.#document = document;
  }

  /** What to say to somebody who gave the name of a service where an identity belongs; empty: it is none. */
  meantBy(principal: string): string {
    const [id] = this.#known.ofServices.get(principal) ?? [];
    return id === undefined ? "" : `; the service ${principal} is ${JSON.stringify(id)}`;
  }

  /** Why a principal is probably misspelt, in words; null: it is known, or unlike all that is. */
  misspeltPrincipal(principal: string): string | null {
    const match = parsePrincipal(principal);
    const [, trustDomain, path] = /^spiffe:\/\/([^/]+)(\/.*)$/.exec(match.value) ?? [];
    if (trustDomain === undefined || path === undefined || (match.kind !== "exact" && match.kind !== "prefix")) return null;
    if (!this.#known.trustDomains.has(trustDomain)) return this.misspeltTrustDomain(trustDomain);
    if (match.kind === "prefix" || this.#isKnown(match.value)) return null;
    const meant = this.#like(path, trustDomain);
    return meant === null ? null : `no service here has the identity ${JSON.stringify(match.value)}; is ${JSON.stringify(meant)} meant?`;
  }

  misspeltTrustDomain(trustDomain: string): string | null {
    const { trustDomains } = this.#known;
    if (trustDomains.has(trustDomain) || this.#suggestions++ >= MOST_SUGGESTIONS) return null;
    const meant = nearest(trustDomain, trustDomains);
    return meant === null ? null : `nothing here is of the trust domain ${JSON.stringify(trustDomain)}; is ${JSON.stringify(meant)} meant?`;
  }

  #isKnown(id: string): boolean {
    const { ids } = this.#known;
    if (ids.has(id)) return true;
    for (let slash = id.lastIndexOf("/"); slash > "spiffe://".length; slash = id.lastIndexOf("/", slash - 1))
      if (ids.has(`${id.slice(0, slash)}/*`)) return true;
    return false;
  }

  /** A known ID that differs in one element of its path, and in one letter there: services bear names that are alike. */
  #like(path: string, trustDomain: string): string | null {
    if (this.#suggestions++ >= MOST_SUGGESTIONS) return null;
    const elements = path.split("/");
    const start = `spiffe://${trustDomain}/`;
    for (const id of this.#known.ids) {
      if (!id.startsWith(start)) continue;
      const others = id.slice(start.length - 1).split("/");
      if (others.length !== elements.length) continue;
      const different = others.flatMap((other, index) => (other === elements[index] ? [] : [{ other, written: elements[index] ?? "" }]));
      const [only] = different;
      if (only && different.length === 1 && nearest(only.written, [only.other], 1) !== null) return id;
    }
    return null;
  }

  get #known(): Identities {
    this.#identities ??= identitiesIn(this.#document);
    return this.#identities;
  }
}

function identitiesIn({ services = {}, mesh }: MeshDocument): Identities {
  const ofServices = new Map<string, readonly string[]>();
  for (const [name, service] of Object.entries(services)) {
    const identities = identitiesOf(name, service, mesh);
    if (identities.ok) ofServices.set(name, identities.value);
  }
  const ids = new Set(Array.from(ofServices.values()).flat());
  const trustDomains = new Set(mesh?.trustDomain === undefined ? [] : [mesh.trustDomain]);
  for (const id of ids) {
    const parsed = parseSpiffeId(id.endsWith("/*") ? id.slice(0, -2) : id);
    if (parsed.ok) trustDomains.add(parsed.value.trustDomain);
  }
  return { ofServices, ids, trustDomains };
}
