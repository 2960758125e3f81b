// The policies of a document in virtual time, over a transport without a network: `node examples/testing-a-policy/main.ts`
import assert from "node:assert/strict";
import { testMesh } from "@heddle/testing";

const config = {
  apiVersion: "heddle/v1",
  services: {
    reviews: {
      endpoints: [{ address: "127.0.0.1:9081" }, { address: "127.0.0.1:9082" }],
      balancer: { policy: "round-robin" },
      retry: { maxRetries: 1, backoff: { base: "25ms" } },
    },
  },
};

await using t = testMesh({ config, seed: 1 });
t.endpoint("127.0.0.1:9081").respond({ status: 503 });

// Two requests meet the sick endpoint at most once each, and neither is told.
const replies = [t.fetch("http://reviews/api/7"), t.fetch("http://reviews/api/7")];
await t.advance("250ms");
for (const reply of await Promise.all(replies)) assert.equal(reply.status, 200);

const outcomes = t.attempts("reviews").map(({ endpoint, outcome }) => `${endpoint}: ${outcome}`);
assert.ok(outcomes.includes("127.0.0.1:9081: 503"));
console.log(outcomes.join("\n"));
