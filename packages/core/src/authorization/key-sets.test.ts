import { resolve } from "node:path";
import { expect, test } from "vitest";
import { virtualClock } from "../../test/virtual-clock.ts";
import type { JwtRule } from "../model/jwt.ts";
import type { Problem } from "../model/problem.ts";
import { seededRandom } from "../random.ts";
import { KeySets } from "./key-sets.ts";

test("a key file that is not there is told when its rule comes into force, with place, rules and whole path", async () => {
  const { promise, resolve: told } = Promise.withResolvers<Problem>();
  const files = { stamp: () => Promise.reject(new Error("the file does not exist")), read: async () => "" };
  const keySets = new KeySets({ clock: virtualClock(), random: seededRandom(1), fetch: null, report: told, files });
  const jwks = { kind: "file", path: "isuer-keys.json" } as const;
  const rule = (name: string, origin: string): JwtRule => ({ name, jwks, origin }) as JwtRule;
  keySets.prepare([rule("https://issuer.example", "mesh.yaml:17"), rule("staff", "mesh.yaml:20")]);
  expect(await promise).toEqual({
    where: "mesh.yaml:17",
    message: `jwt https://issuer.example, staff: ${resolve("isuer-keys.json")}: the file does not exist; every token is refused`,
    severity: "error",
  });
});
