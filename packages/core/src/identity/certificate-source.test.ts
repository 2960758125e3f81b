import { expect, test } from "vitest";
import { leaf, NOW, root } from "../../test/authority.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { seededRandom } from "../random.ts";
import { readCertificate } from "./certificate.ts";
import type { CertificateListener, CertificateSource, CertificateState } from "./certificate-source.ts";
import { readTrustBundle, trustBundles } from "./trust-bundles.ts";

/** The fake that architecture asks for, in ten lines. */
function handSource(): CertificateSource & { update(state: CertificateState): void } {
  let listening: CertificateListener | null = null;
  return {
    name: "hand",
    watch(listener) {
      listening = listener;
      return () => {
        listening = null;
      };
    },
    update: (state) => listening?.update(state),
  };
}

test("a source tells whole states until it is closed", () => {
  const ca = root("root");
  const issued = leaf(ca, "spiffe://a/web");
  const certificate = readCertificate([{ text: issued.pem + issued.keyPem, from: "pem" }], NOW);
  const bundle = readTrustBundle("a", [{ text: ca.pem, from: "ca.crt" }]);
  if (!certificate.ok || !bundle.ok) throw new Error("the certificates of this test are wrong");
  const state = { certificate: certificate.value, bundles: trustBundles([bundle.value]) };
  const source = handSource();
  const heard: CertificateState[] = [];
  const close = source.watch(
    { update: (each) => heard.push(each), problem: () => undefined },
    { clock: virtualClock(), random: seededRandom(1), service: null },
  );
  source.update(state);
  close();
  close();
  source.update(state);
  expect(heard).toEqual([state]);
});
