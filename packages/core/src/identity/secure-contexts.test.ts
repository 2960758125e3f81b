import { describe, expect, test } from "vitest";
import { HOUR, leaf, root } from "../../test/authority.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { type Roots, stateOf, workload } from "../../test/workload.ts";
import { WorkloadCertificate } from "./certificate.ts";
import { parseCertificate } from "./x509.ts";

const ID = "spiffe://shop.example/web";
const LONG = { notBeforeMs: 0, notAfterMs: 100 * HOUR };
const shop = root("shop root", LONG);
const bank = root("bank root", LONG);
const all = { "shop.example": [shop], "bank.example": [bank] };
const state = (roots: Roots = all) => stateOf([leaf(shop, ID, LONG)], roots, 0);

function contexts() {
  const clock = virtualClock();
  const process = workload(state(), clock);
  return { clock, source: process.source, contexts: process.contexts };
}

describe("secure contexts", () => {
  test("are made once for each set of trust domains, however it is written, and once to serve", () => {
    const { contexts: made } = contexts();
    const both = made.toServersOf(["shop.example", "bank.example"]);
    expect(made.toServersOf(["bank.example", "shop.example", "bank.example"])).toBe(both);
    expect(made.toServersOf(["shop.example"])).not.toBe(both);
    expect(made.toServe()).toBe(made.toServe());
    expect(made.count).toBe(3);
  });

  test("of a former certificate or former roots are dropped as a whole", () => {
    const { contexts: made, source } = contexts();
    const before = made.toServersOf(["shop.example"]);
    made.toServe();
    source.update(state());
    expect(made.toServersOf(["shop.example"])).not.toBe(before);
    expect(made.count).toBe(1);
    const { certificate } = state();
    source.update({ certificate, bundles: state().bundles });
    const again = made.toServersOf(["shop.example"]);
    source.update({ certificate, bundles: state({ "shop.example": [shop, bank] }).bundles });
    expect(made.toServersOf(["shop.example"])).not.toBe(again);
    expect(made.count).toBe(1);
  });

  test("are bounded, whatever a configuration expects one after the other", () => {
    const { contexts: made } = contexts();
    for (let index = 0; index < 250; index++) made.toServersOf(["shop.example", `d${index}.example`]);
    expect(made.count).toBe(200);
  });

  test("are not made where no expected trust domain has roots, for then nobody could be verified", () => {
    const { contexts: made } = contexts();
    const message = `no roots of evil.example or other.example to verify a server by; hand gives ${ID} those of shop.example, bank.example`;
    expect(() => made.toServersOf(["other.example", "evil.example"])).toThrow(expect.objectContaining({ code: "no_identity", message }));
    expect(made.count).toBe(0);
  });

  test("are not made of a certificate and the key of another, which is said in words", () => {
    const { contexts: made, source } = contexts();
    const { certificate, bundles } = state();
    const read = parseCertificate(certificate.chain[0] ?? Buffer.alloc(0));
    if (!read.ok) throw new Error(read.reason);
    source.update({ certificate: new WorkloadCertificate(certificate.id, [read.value], state().certificate.privateKey), bundles });
    const message = `hand gives for ${ID} a certificate and the key of another one, with which nothing can be proved; expected the two that belong together`;
    const refused = expect.objectContaining({ code: "no_identity", message });
    for (const make of [() => made.toServe(), () => made.optionsToServe(), () => made.toServersOf(["shop.example"])])
      expect(make).toThrow(refused);
  });

  test("are not given out once the certificate has expired", () => {
    const { contexts: made, clock } = contexts();
    made.toServersOf(["shop.example"]);
    clock.tick(100 * HOUR + 1);
    expect(() => made.toServersOf(["shop.example"])).toThrow(expect.objectContaining({ code: "no_identity" }));
    expect(() => made.toServe()).toThrow(expect.objectContaining({ code: "no_identity" }));
  });
});
