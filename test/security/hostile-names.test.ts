import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { inspect } from "node:util";
import type { Problem } from "@heddle/core";
import { distinguishedName, newKeyPair, writeCertificate, writePem } from "@heddle/spiffe";
import { testAuthority } from "@heddle/testing/authority";
import { expect, test, vi } from "vitest";
import { guarded } from "./guarded.ts";

// Strangers choose what their certificates say, and refusals quote it: that must stay one line of moderate length, in logs and on terminals.

const shop = testAuthority();
const web = shop.id("web").text;
const FORGED_LINE = "\nheddle: error: inbound: all is well\r\n";

/** Self-signed, with these names. */
function stranger(commonName: string, uris: readonly string[]): ConnectionOptions {
  const keys = newKeyPair();
  const subject = distinguishedName({ commonName });
  const der = writeCertificate(
    {
      subject,
      publicKey: keys.publicKey,
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: Date.now() + 3_600_000,
      uris,
      isAuthority: false,
      keyUsage: ["digitalSignature"],
      extendedKeyUsage: ["clientAuth"],
    },
    { ...keys, name: subject },
  );
  const key = keys.privateKey.export({ type: "pkcs8", format: "pem" });
  return { cert: writePem("CERTIFICATE", der), key: String(key), rejectUnauthorized: false };
}

test.each<[string, string, readonly string[]]>([
  ["a line of its own", `web${FORGED_LINE}`, [web]],
  ["what moves a terminal's cursor", "\u001b[2J\u001b[1;1Hroot \u009b0m", [web]],
  ["text that runs backwards", "\u202ebew/tset.pohs//:effips", [web]],
  ["a NUL", "web\0.shop.test", [web]],
  ["more than anybody reads", "x".repeat(8_000), [web]],
  ["an ID of two lines", "web", [`${web}${FORGED_LINE}`]],
  ["an ID that is endless", "web", [`${web}/${"x".repeat(8_000)}`]],
  ["an ID that moves a cursor", "web", [`${web}\u001b[2J`]],
  ["an ID with a NUL", "web", [`${web}\0.evil`]],
  ["two hundred IDs", "web", Array.from({ length: 200 }, (_, index) => `spiffe://shop.test/${"y".repeat(100)}${index}`)],
])("a certificate whose names hold %s is refused in one line that can be read", async (_what, commonName, uris) => {
  const problems: Problem[] = [];
  let called = 0;
  const { mesh, listener } = await guarded({}, () => void called++, {
    identity: shop.source("reviews"),
    onProblem: (problem) => problems.push(problem),
  });
  const secure = connectTls({ ...stranger(commonName, uris), socket: connectTcp(listener.port, "127.0.0.1") });
  secure.on("error", () => {});
  secure.write("GET / HTTP/1.1\r\nhost: reviews\r\n\r\n");
  await once(secure, "close");
  await vi.waitFor(() => expect(problems).toHaveLength(1), 10_000);
  expect([called, mesh.inspect().inbound.refusedConnections]).toEqual([0, 1]);
  const [problem] = problems;
  expect(problem?.message).toMatch(/^this side refused a connection from 127\.0\.0\.1: [ -~]{1,900}$/);
  expect(inspect(mesh.inspect(), { depth: 9 })).not.toContain("\u001b[2J");
});
