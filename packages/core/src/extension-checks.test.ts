import { expect, test } from "vitest";
import { loadDocument } from "./control/document/load.ts";
import { extensionWarnings } from "./extension-checks.ts";
import { Extensions } from "./extensions.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";

const SERVICES = 50;

function snapshotOf(service: object): MeshSnapshot {
  const services = Object.fromEntries(Array.from({ length: SERVICES }, (_, index) => [`service-${index}`, service]));
  const { snapshot } = loadDocument({ apiVersion: "heddle/v1", services }, "static");
  if (snapshot === null) throw new Error("the document of this test is wrong");
  return snapshot;
}

/** How often all virtual hosts were asked for while warnings were made, and the warnings. */
function warningsOf(snapshot: MeshSnapshot, extensions: Extensions): { readonly looks: number; readonly warnings: number } {
  let looks = 0;
  const counted: MeshSnapshot = Object.defineProperty({ ...snapshot }, "virtualHosts", {
    get: () => {
      looks++;
      return snapshot.virtualHosts;
    },
  });
  return { warnings: extensionWarnings(counted, extensions).length, looks };
}

test("warns of every service whose policy from the code turns its retries off, and looks through all routes once for all of them", () => {
  const extensions = new Extensions({
    namedPolicies: { mine: { execute: (run) => Promise.resolve(run({ signal: new AbortController().signal })) } },
  });
  expect(warningsOf(snapshotOf({ policy: "mine", retry: { maxRetries: 2 } }), extensions)).toEqual({ warnings: SERVICES, looks: 1 });
  expect(warningsOf(snapshotOf({ policy: "mine", retry: "off" }), extensions)).toEqual({ warnings: 0, looks: 1 });
});

test("does not look through the routes where no service has a policy from the code", () => {
  expect(warningsOf(snapshotOf({ retry: { maxRetries: 2 } }), new Extensions({}))).toEqual({ warnings: 0, looks: 0 });
});
