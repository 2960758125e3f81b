import { GRPC_STATUS_NAMES } from "../../model/grpc-status.ts";
import type { FormatName } from "./formats.ts";

/** What a value in the native document may be. Plain data: types, JSON Schema, checks and documentation are all made from it. */
export type Kind =
  | ObjectKind
  | MapKind
  | ListKind
  | StringKind
  | IntegerKind
  | BooleanKind
  | TrueKind
  | DurationKind
  | EnumKind
  | OffKind
  | EitherKind
  | ConditionKind
  | PercentKind
  | JsonKind;

/** A mapping with known keys. */
export interface ObjectKind {
  readonly kind: "object";
  /** Name of its TypeScript interface and of its section in the documentation. */
  readonly name: string;
  readonly doc: string;
  readonly keys: Readonly<Record<string, Key>>;
  /** Keys of the contract whose behaviour is not built yet. */
  readonly later?: readonly string[];
  /** Keys that belong somewhere else, and where. */
  readonly elsewhere?: Readonly<Record<string, string>>;
  /** Of these keys at most one may be given; exactly one if `required`. */
  readonly choice?: { readonly of: readonly string[]; readonly required: boolean };
}

export interface Key {
  readonly doc: string;
  readonly kind: Kind;
  readonly required?: true;
  /** What absent means, as one would write it. */
  readonly default?: string | number | boolean | readonly (string | number)[];
  /** What absent means, in words, where no value says it. */
  readonly absent?: string;
}

/** A mapping with names of the user's choice. */
export interface MapKind {
  readonly kind: "map";
  /** How the key is called in paths: `<name>`. */
  readonly key: string;
  readonly keyFormat: FormatName;
  readonly of: Kind;
  readonly atLeast?: number;
  /** Keys that differ in case only are the same key. */
  readonly foldsCase?: true;
}

export interface ListKind {
  readonly kind: "list";
  readonly of: Kind;
  readonly atLeast?: number;
  /** A list of one may be written as what it holds. */
  readonly orOne?: true;
}

export interface StringKind {
  readonly kind: "string";
  readonly format: FormatName;
}

export interface IntegerKind {
  readonly kind: "integer";
  readonly min: number;
  readonly max: number;
}

export interface BooleanKind {
  readonly kind: "boolean";
}

/** Only `true` may be written. */
export interface TrueKind {
  readonly kind: "true";
}

export interface DurationKind {
  readonly kind: "duration";
  readonly minMs: number;
}

export interface EnumKind {
  readonly kind: "enum";
  readonly values: readonly (string | number)[];
  /** Values of the contract whose behaviour is not built yet. */
  readonly later?: readonly string[];
  /** Before a name of the user's choice: `custom:`. */
  readonly prefixes?: readonly string[];
}

/** `off`, or something. */
export interface OffKind {
  readonly kind: "off";
  readonly or: Kind;
}

/** Something short, or a mapping that says more. */
export interface EitherKind {
  readonly kind: "either";
  readonly scalar: DurationKind | ListKind;
  readonly object: ObjectKind;
}

/** One of some words, or a status. */
export interface ConditionKind {
  readonly kind: "condition";
  readonly words: readonly string[];
  readonly minStatus: number;
  readonly maxStatus: number;
  /** Beginnings of words of the contract whose behaviour is not built yet. */
  readonly later?: readonly string[];
}

/** 0 to 100, with at most four decimals. */
export interface PercentKind {
  readonly kind: "percent";
}

/** Anything that JSON can say. */
export interface JsonKind {
  readonly kind: "json";
}

export const text = (format: FormatName): StringKind => ({ kind: "string", format });
export const integer = (min: number, max: number): IntegerKind => ({ kind: "integer", min, max });
export const list = (of: Kind, atLeast = 0): ListKind => ({ kind: "list", of, atLeast });
export const offOr = (or: Kind): OffKind => ({ kind: "off", or });
export const oneOf = (values: readonly (string | number)[], later: readonly string[] = [], prefixes: readonly string[] = []): EnumKind => ({
  kind: "enum",
  values,
  later,
  prefixes,
});
/** At least a millisecond: where waiting for ever is meant, `off` or leaving the key out says so. */
export const duration: DurationKind = { kind: "duration", minMs: 1 };
export const percent: PercentKind = { kind: "percent" };
export const boolean: BooleanKind = { kind: "boolean" };

/** What a gRPC call may fail with. */
export const GRPC_FAILURES: readonly string[] = GRPC_STATUS_NAMES.filter((name) => name !== "ok");

const GRPC_CONDITIONS: readonly string[] = GRPC_FAILURES.map((name) => `grpc:${name}`);

export const RETRY_CONDITIONS: readonly string[] = [
  "connect-failure",
  "refused-stream",
  "reset",
  "attempt-timeout",
  "retriable-4xx",
  "gateway-error",
  "5xx",
  ...GRPC_CONDITIONS,
];

export const FALLBACK_CONDITIONS: readonly string[] = [
  "breaker-open",
  "no-endpoint",
  "deadline",
  "overloaded",
  "connect-failure",
  "reset",
  "attempt-timeout",
  "5xx",
  ...GRPC_CONDITIONS,
];

export const retryCondition: ConditionKind = {
  kind: "condition",
  words: RETRY_CONDITIONS,
  minStatus: 400,
  maxStatus: 599,
};

/** The widest count a document may give where nothing else bounds it. */
export const MANY = 1_000_000;
