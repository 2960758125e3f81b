import { readFileSync } from "node:fs";
import { type ControlSourceHarness, controlSourceContract, FIRST_SERVICE, virtualClock } from "@heddle/testing";
import { expect, test } from "vitest";
import { type Registry, registrySource } from "../../examples/own-source/registry-source.ts";

controlSourceContract({
  name: "the example of a source of one's own",
  test,
  open(): ControlSourceHarness {
    const clock = virtualClock();
    let answer: () => Promise<Registry>;
    const write = async (services: readonly string[]) => {
      answer = async () => Object.fromEntries(services.map((name) => [name, ["127.0.0.1:9081"]]));
    };
    void write([FIRST_SERVICE]);
    return {
      source: registrySource(() => answer()),
      clock,
      write,
      breakIt: async () => {
        answer = async () => ({ reviews: ["no address"] });
      },
      remove: async () => {
        answer = () => Promise.reject(new Error("connection refused"));
      },
      pass: (ms) => clock.advance(ms),
      close: async () => {},
    };
  },
});

test("it takes about 30 lines", () => {
  const text = readFileSync(new URL("../../examples/own-source/registry-source.ts", import.meta.url), "utf8");
  const body = text.slice(text.indexOf("export function")).trim().split("\n");
  expect(body.length).toBeLessThanOrEqual(35);
});
