import { expect, test } from "vitest";
import { identityFromEnvironment } from "./identity.ts";

test("every path is a folder of certificates, also of one that is not there yet", () => {
  for (const path of ["/run/nowhere", "./nowhere", "../nowhere", ".heddle/nowhere", "nowhere/"])
    expect(identityFromEnvironment(path).name).toContain("tls.crt");
});

test("a word alone is a folder where one has that name, and else none of the words that there are", () => {
  expect(identityFromEnvironment("node_modules").name).toContain("node_modules/tls.crt");
  expect(() => identityFromEnvironment("workload_api")).toThrow(
    new TypeError(
      'joinMesh: HEDDLE_IDENTITY: found "workload_api", expected "dev", "workload-api", or the path of a folder, such as "./identity"',
    ),
  );
});
