import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { Child } from "./child.ts";
import type { CopiesTold } from "./two-copies-messages.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const PACKAGES = {
  core: "@heddle/core",
  http: "@heddle/http",
  "express-adapter": "@heddle/express-adapter",
  "fastify-adapter": "@heddle/fastify-adapter",
  spiffe: "@heddle/spiffe",
  heddle: "heddle",
};

/** A folder with copies of the built packages, as an installation has; what they depend on is linked from here. */
function copy(): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-copy-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@heddle"), { recursive: true });
  for (const [name, installed] of Object.entries(PACKAGES)) {
    for (const part of ["dist", "package.json"])
      cpSync(join(root, "packages", name, part), join(modules, installed, part), { recursive: true });
  }
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== "heddle" && name !== "@heddle" && !name.startsWith("."))
      symlinkSync(join(root, "node_modules", name), join(modules, name));
  return folder;
}

test("two copies of the packages share one process: errors, globals and servers", async () => {
  const child = new Child("two-copies-child.ts", { args: [copy(), copy()] });
  const told = await child.next<CopiesTold>();
  expect(told.areApart).toBe(true);
  // Found by its brand: `instanceof` knows its own copy alone.
  expect(told.errors).toEqual({ code: "unknown_service", isInstance: false });
  const both = { answers: ["hello", "hello"], left: "hello", isRestored: true };
  expect(told.installed).toEqual(both);
  expect(told.installedReversed).toEqual(both);
  // The middleware of the other copy sees that the listener has run the stack.
  expect(told.inbound.inFlight).toBe("1");
  expect(told.inbound.refusal).toBe("TypeError: attach: this server is attached to another mesh");
  expect(await child.ended()).toBe(0);
});
