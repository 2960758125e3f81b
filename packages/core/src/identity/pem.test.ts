import { describe, expect, test } from "vitest";
import { pemOf } from "../../test/authority.ts";
import { readPem } from "./pem.ts";

const block = pemOf("CERTIFICATE", Buffer.from("a certificate, as far as PEM knows, of more than one line of base64"));
const other = pemOf("PRIVATE KEY", Buffer.from("something else"));
const reading = (text: string) => readPem({ text, from: "tls.pem" });

describe("readPem", () => {
  test("reads each block with its label, bytes and line", () => {
    expect(reading(`${block}${other}`)).toEqual({
      ok: true,
      value: [
        {
          label: "CERTIFICATE",
          where: "tls.pem:1",
          der: Buffer.from("a certificate, as far as PEM knows, of more than one line of base64"),
        },
        { label: "PRIVATE KEY", where: "tls.pem:5", der: Buffer.from("something else") },
      ],
    });
  });

  test("passes over lines outside of blocks, takes carriage returns and a missing last line break", () => {
    const noisy = `# the root\nSubject: CN = x\n\n${block}trailing words\n${other}`.replaceAll("\n", "\r\n").trimEnd();
    expect(reading(noisy)).toMatchObject({ ok: true, value: [{ where: "tls.pem:4" }, { label: "PRIVATE KEY" }] });
    expect(reading("")).toEqual({ ok: true, value: [] });
  });

  test.each([
    ["a missing END", block.replace(/-----END.*\n/, ""), "tls.pem:1: the CERTIFICATE has no END; the text is cut short"],
    ["a missing END before another block", block.replace(/-----END.*\n/, "") + block, "tls.pem:4: another block begins"],
    ["a missing BEGIN", block.replace(/-----BEGIN.*\n/, ""), 'END "CERTIFICATE" without its BEGIN'],
    ["another label at the end", block.replace("END CERTIFICATE", "END PRIVATE KEY"), 'expected END "CERTIFICATE"'],
    ["files glued together", block.trimEnd() + block, "two PEM boundaries in one line"],
    ["a boundary cut short", block.replace("-----END CERTIFICATE-----", "-----END CERTIFICATE---"), "malformed PEM boundary"],
    ["an indented boundary", ` ${block}`, "malformed PEM boundary"],
    ["garbage within", block.replace("\n", "\n!!\n"), "holds something that is not base64"],
    ["an empty line within", block.replace("\n", "\n\n"), "holds an empty line"],
    ["base64 cut short", block.replace("=\n", "\n"), "is not base64, or is cut short"],
    ["padding in the middle", block.replace(/\n(.{8})/, "\n$1=="), "holds something that is not base64"],
    ["an empty block", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "is not base64, or is cut short"],
    ["a password", other.replace("\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n"), "is encrypted, expected a key without a password"],
    ["too much", "x".repeat(1024 * 1024 + 1), "expected PEM of at most"],
  ])("refuses %s", (_, text, reason) => {
    expect(reading(text)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });

  test("never quotes a line, which may be part of a key", () => {
    const secret = "MHcCAQEEIB2nW9u1xCT0uq1secret";
    for (const text of [
      `-----${secret}`,
      `-----BEGIN PRIVATE KEY-----\n${secret}!\n`,
      `-----BEGIN PRIVATE KEY-----\n${secret}\n-----BEGIN ${secret}-----`,
    ]) {
      const result = reading(text);
      expect(result.ok ? "accepted" : result.reason).not.toContain("secret");
    }
  });
});
