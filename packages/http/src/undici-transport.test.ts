import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "@heddle/core";
import { type LoopbackEndpoint, loopbackEndpoint, transportContract, transportPipeContract } from "@heddle/testing";
import { test } from "vitest";
import { LiveAuthority, overTls, REVIEWS, TestClientTls, WEB } from "../test/tls.ts";
import { httpTransport } from "./undici-transport.ts";

async function open() {
  return openOn(await loopbackEndpoint());
}

function openOn(endpoint: LoopbackEndpoint) {
  return { transport: httpTransport(), endpoint, pass: (ms: number) => sleep(ms), close: () => endpoint.close() };
}

const authority = new LiveAuthority();
const server = { ...authority.issue(REVIEWS), requestCert: true, rejectUnauthorized: true };
const client = new TestClientTls(authority.issue(WEB));

async function openTls() {
  const endpoint = await loopbackEndpoint(systemClock, server);
  return { ...openOn(endpoint), transport: overTls(httpTransport(), client) };
}

transportContract({ name: "undici", test, open });
transportPipeContract({ name: "undici, byte pipes", test, open });
transportContract({ name: "undici over TLS", test, open: openTls });
transportPipeContract({ name: "undici over TLS, byte pipes", test, open: openTls });
