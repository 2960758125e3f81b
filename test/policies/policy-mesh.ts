import { type TestMesh, testMesh } from "@heddle/testing";

export const ONE = "127.0.0.1:9081";
export const OTHER = "127.0.0.1:9082";
export const SHADOW = "127.0.0.1:9099";

/** `reviews` with one endpoint, `other` with another, and whatever a test adds. */
export function document(reviews: object = {}, more: object = {}, top: object = {}): object {
  return {
    apiVersion: "heddle/v1",
    ...top,
    services: {
      reviews: { endpoints: [{ address: ONE }], ...reviews },
      other: { endpoints: [{ address: OTHER }] },
      ...more,
    },
  };
}

export function meshOf(reviews: object = {}, more: object = {}, top: object = {}): TestMesh {
  return testMesh({ config: document(reviews, more, top) });
}

/** The outcomes that are counted for a service, and how often. */
export function outcomes(t: TestMesh, service: string): Readonly<Record<string, number>> {
  const counted: Record<string, number> = {};
  for (const { service: of, outcome, count } of t.mesh.inspect().counters) {
    if (of === service) counted[outcome] = (counted[outcome] ?? 0) + count;
  }
  return counted;
}
