import { createRequire } from "node:module";
import type { BaseBlock, Sequence } from "asn1js";

type Asn1 = typeof import("asn1js");

const require = createRequire(import.meta.url);

/**
 * ASN.1 is loaded when the first certificate is made, since most processes never make one. This library alone, and not those that build
 * certificates on it: @peculiar/asn1-schema brings tslib, which puts 32 functions on `globalThis`, and pkijs puts its engine there.
 */
export function asn1(): Asn1 {
  return require("asn1js") as Asn1;
}

export function sequence(...value: readonly BaseBlock[]): Sequence {
  return new (asn1().Sequence)({ value: [...value] });
}

export function setOf(...value: readonly BaseBlock[]): BaseBlock {
  return new (asn1().Set)({ value: [...value] });
}

export function truth(): BaseBlock {
  return new (asn1().Boolean)({ value: true });
}

export function objectIdentifier(value: string): BaseBlock {
  return new (asn1().ObjectIdentifier)({ value });
}

/** Unsigned, however many bytes. */
export function integer(bytes: Uint8Array): BaseBlock {
  return asn1().Integer.fromBigInt(BigInt(`0x${Buffer.from(bytes).toString("hex") || "0"}`));
}

export function octets(valueHex: Uint8Array): BaseBlock {
  return new (asn1().OctetString)({ valueHex });
}

export function bits(valueHex: Uint8Array, unusedBits = 0): BaseBlock {
  return new (asn1().BitString)({ valueHex, unusedBits });
}

/** `[n]` around a value. */
export function explicit(tagNumber: number, ...value: readonly BaseBlock[]): BaseBlock {
  return new (asn1().Constructed)({ idBlock: { tagClass: 3, tagNumber }, value: [...value] });
}

/** `[n]` in the place of the tag of something primitive. */
export function implicit(tagNumber: number, valueHex: Uint8Array): BaseBlock {
  return new (asn1().Primitive)({ idBlock: { tagClass: 3, tagNumber }, valueHex });
}

/** A moment as RFC 5280 section 4.1.2.5 writes it: whole seconds, UTCTime until 2049, GeneralizedTime after. */
export function time(ms: number): BaseBlock {
  const valueDate = new Date(Math.floor(ms / 1_000) * 1_000);
  const year = valueDate.getUTCFullYear();
  return year >= 1950 && year < 2050 ? new (asn1().UTCTime)({ valueDate }) : new (asn1().GeneralizedTime)({ valueDate });
}

/**
 * What others encoded, as a part of something larger. Throws TypeError unless it is one whole value in the one way that DER has for it: the
 * library reads BER, and forgives lengths that do not fit.
 */
export function encoded(der: Uint8Array): BaseBlock {
  const { offset, result } = asn1().fromBER(der);
  if (offset !== der.length || Buffer.compare(toDer(result), der) !== 0) throw new TypeError("expected one whole value as DER");
  return result;
}

export function toDer(block: BaseBlock): Buffer {
  return Buffer.from(block.toBER());
}
