import type { DestinationDocument, FallbackDocument, MeshDocument, MirrorDocument, RouteDocument, ServiceDocument } from "@heddle/core";

declare const NAMES: unique symbol;

/** A document whose names are known to the compiler. The names are types alone: at run time it is the document. */
export interface MeshDefinition<D> {
  readonly [NAMES]?: D;
}

type Services<D> = D extends { readonly services: infer S } ? S : Record<never, never>;
type Policies<D> = D extends { readonly policies: infer P } ? P : Record<never, never>;
type ServiceNamesOf<D> = keyof Services<D> & string;
type SubsetsOf<D, S> = S extends keyof Services<D>
  ? Services<D>[S] extends { readonly subsets: infer B }
    ? keyof B & string
    : never
  : never;

/** One of another service, with a subset of that, or only a subset of the service that names it. */
type Place<D, Own> =
  | { readonly [S in ServiceNamesOf<D>]: { readonly service: S; readonly subset?: SubsetsOf<D, S> } }[ServiceNamesOf<D>]
  | { readonly service?: never; readonly subset?: SubsetsOf<D, Own> };

type Placed<T, D, Own> = Omit<T, "service" | "subset"> & Place<D, Own>;
type Mirror<D, Own> = Placed<MirrorDocument, D, Own>;
type PolicyName<D> = keyof Policies<D> & string;

interface References<D, Own> {
  readonly use?: PolicyName<D> | readonly PolicyName<D>[];
  readonly mirror?: Mirror<D, Own> | readonly Mirror<D, Own>[] | "off";
  readonly fallback?: Placed<FallbackDocument, D, Own> | "off";
}

type Checked<T, D, Own> = Omit<T, "use" | "mirror" | "fallback" | "routes" | "to"> & References<D, Own>;

/** Element by element, so that a mistake is shown where it is. */
type CheckedRoute<R, D, Own> = Checked<RouteDocument, D, Own> & {
  readonly to?: R extends { readonly to: infer T } ? { readonly [I in keyof T]: Placed<DestinationDocument, D, Own> } : never;
};

type CheckedService<S, D, Own> = Checked<ServiceDocument, D, Own> & {
  readonly routes?: S extends { readonly routes: infer R } ? { readonly [I in keyof R]: CheckedRoute<R[I], D, Own> } : never;
};

/** Every name that a document refers to must be one that it defines. */
interface CheckedDocument<D> {
  readonly services?: { readonly [S in keyof Services<D>]: CheckedService<Services<D>[S], D, S> };
}

type Defined<M> = M extends MeshDefinition<infer D> ? D : unknown;
type HostsOf<D> = Services<D>[keyof Services<D>] extends infer S
  ? S extends { readonly hosts: readonly (infer H extends string)[] }
    ? H
    : never
  : never;

/** The services of a definition, by name or host; any string where the names are not known. */
export type ServiceName<M> = unknown extends Defined<M> ? string : ServiceNamesOf<Defined<M>> | HostsOf<Defined<M>>;

/** The subsets of one service of a definition. */
export type SubsetName<M, S extends string> = unknown extends Defined<M> ? string : SubsetsOf<Defined<M>, S>;

/** The named routes of one service of a definition. */
export type RouteName<M, S extends string> =
  unknown extends Defined<M>
    ? string
    : S extends keyof Services<Defined<M>>
      ? Services<Defined<M>>[S] extends { readonly routes: readonly (infer R)[] }
        ? R extends { readonly name: infer N extends string }
          ? N
          : never
        : never
      : never;

/**
 * A document in TypeScript, for `mesh.config.ts` or `joinMesh({ config })`: editors complete it, and every service, subset and policy
 * that it refers to must be one that it defines. A mesh that is joined with it knows its services by name:
 *
 * ```ts
 * export default defineMesh({ apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address: "127.0.0.1:9081" }] } } });
 * ```
 */
export function defineMesh<const D extends MeshDocument>(document: D & CheckedDocument<D>): D & MeshDefinition<D> {
  return document;
}
