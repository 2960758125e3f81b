import { execFile } from "node:child_process";
import { globSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const examples = fileURLToPath(new URL("../examples", import.meta.url));

/** What each example says when it works, all of it. */
const OUTPUT: Readonly<Record<string, readonly RegExp[]>> = {
  "axios-and-got": [
    /^axios: 19091 serves greeter, 19092 serves greeter$/m,
    /^got: 1909[12] serves greeter$/m,
    /^axios, installed: 200\nfetch, installed: 200$/m,
  ],
  "canary-by-file": [
    // Chance stays within five standard deviations of the weights.
    /^weight 10: v2 answered [1-6]\d of 400\nweight 50: v2 answered (1[5-9]|2[0-4])\d of 400\nweight 100: v2 answered 400 of 400$/m,
  ],
  "http-basic": [
    // Which endpoint is picked first is left to chance; the one that fails is never the last.
    /^200 hello spiffe:\/\/heddle\.test\/web, from the first \((127\.0\.0\.1:19082: 503, )?127\.0\.0\.1:19081: 200\)$/m,
    /^DELETE: 403 RBAC: access denied\nin plain text: 403 mtls_required$/m,
  ],
  "express-service": [/^a loom costs 12; prices had at most the 2 s of the caller$/m],
  "fastify-service": [
    /^\/orders\/:id had at most the 2 s of the document$/m,
    /^without a key: 401$/m,
    /^a WebSocket without a key: HTTP\/1\.1 401 Unauthorized$/m,
    /^orders: closed$/m,
  ],
  grpc: [
    // Which endpoint is picked first is left to chance; of four calls some go to the one that fails first.
    /^5, 4 stars by the first, for spiffe:\/\/heddle\.test\/web \(127\.0\.0\.1:19111: grpc:unavailable, 127\.0\.0\.1:19110: grpc:ok\)$/m,
    /^(5, 4 stars by the first, .*\n){4}Forget: PERMISSION_DENIED RBAC: access denied$/m,
  ],
  "koa-and-hono": [/^loom: Hono had at most the 2 s of Koa's caller$/m],
  "mtls-and-authorization": [
    /^web reads: 200 spiffe:\/\/shop\.test\/web for nobody\nweb writes for alice, an editor: 200 spiffe:\/\/shop\.test\/web for alice$/m,
    /^web writes for bob, a reader: 403 RBAC: access denied\nweb writes for nobody: 401 RBAC: access denied$/m,
    /^web writes with a token that another key signed: 401 $/m,
    /^web looks for a way around: 403 RBAC: access denied\nreports reads: 403 RBAC: access denied$/m,
    /^somebody without a certificate reads: 403 mtls_required$/m,
    /^reviews: 2 allowed, 4 denied; no-admin 1, web-reads 1, editors-write 1$/m,
  ],
  nestjs: [/^a loom costs 12; prices had at most the 2 s of the caller$/m, /^ready: 200$/m],
  "nestjs-grpc": [/^a loom costs 12; prices had at most the 2 s of the caller\nshop asked prices: grpc:ok\nprices answered: grpc:ok$/m],
  "next-to-aspire": [
    /^(reviews by \.NET\n){4}/m,
    /^services\.reviews\.endpoints: from environment\nservices\.reviews\.timeout: from config\[1\]$/m,
  ],
  "own-layer": [/^200 an order of acme$/m, /^403 mallory is no tenant$/m],
  "own-source": [/^the first\nthe second$/m, /^services\.greeter\.timeout: from config\[1\]$/m, /^endpoint set greeter: from registry$/m],
  "protect-a-database": [
    /^(Error: connection refused\n){3}(breaker_open\n){2}3 of 5 reached the database$/m,
    /^row 6 of the cache\nrow 7\nthe breaker is closed$/m,
  ],
  "testing-a-policy": [/^127\.0\.0\.1:9081: 503$/m, /^127\.0\.0\.1:9082: 200$/m],
};

/** What a development authority says each time. */
const NOT_FOR_PRODUCTION = /^heddle: warning: .* identity\.dev is NOT FOR PRODUCTION: .*\n/gm;

test("every example is run here", () => {
  expect(readdirSync(examples).sort()).toEqual(Object.keys(OUTPUT).sort());
});

test.each(Object.entries(OUTPUT))("examples/%s works as it stands, and ends by itself", async (name, expected) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [`${examples}/${name}/main.ts`], { timeout: 15_000 });
  for (const line of expected) expect(stdout).toMatch(line);
  expect(stderr.replaceAll(NOT_FOR_PRODUCTION, "")).toBe("");
});

test.each(globSync("*/*.test.ts", { cwd: examples }))("examples/%s passes", async (path) => {
  const { stdout } = await promisify(execFile)(process.execPath, ["--test", `${examples}/${path}`], { timeout: 15_000 });
  expect(stdout).toMatch(/^. pass [1-9]\d*$/m);
});
