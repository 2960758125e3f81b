import { status } from "@grpc/grpc-js";
import { expect, test } from "vitest";
import { call, type Method, started } from "./echo-service.ts";
import { client, served } from "./serving.ts";

const CALLS: readonly (readonly [Method, readonly string[], readonly string[]])[] = [
  ["Say", ["one"], ["one"]],
  ["Say", [""], [""]],
  ["Gather", ["one", "two", "", "three"], ["one two  three"]],
  ["Gather", [], [""]],
  ["Spread", ["one two three"], ["one", "two", "three"]],
  ["Talk", ["one", "two", "three"], ["one", "two", "three"]],
  ["Talk", [], []],
];

test.each(CALLS)("%s of %j is served through the stack, and has one line in the access log", async (name, texts, answer) => {
  const { listener, lines, inFlight } = await served({});
  expect(await call(client(listener.port), name, texts)).toEqual({ texts: answer, code: status.OK, details: "OK" });
  await expect.poll(() => lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ direction: "inbound", path: `/shop.Echo/${name}`, route: `/shop.Echo/${name}`, status: 200 });
  await expect.poll(inFlight).toBe(0);
});

const broken = async () => {
  await new Promise((resolve) => setImmediate(resolve));
  throw new Error("the database of secrets is away");
};

test.each(["Say", "Gather", "Spread", "Talk"] as const)(
  "an async handler of %s that rejects ends its call with INTERNAL, and is reported",
  async (name) => {
    const { listener, problems, inFlight } = await served({}, { handlers: { Say: broken, Gather: broken, Spread: broken, Talk: broken } });
    const deadline = Date.now() + 15_000;
    const { code, details } = await call(client(listener.port), name, ["one"], { deadline });
    expect([code, details]).toEqual([status.INTERNAL, "the handler of this method failed"]);
    expect(problems).toEqual([
      `serving /shop.Echo/${name}: its handler rejected: the database of secrets is away; its caller got INTERNAL`,
    ]);
    await expect.poll(inFlight).toBe(0);
  },
);

test("a handler that rejects after it answered has answered, and is reported", async () => {
  const { listener, problems } = await served(
    {},
    {
      handlers: {
        Say: async (said, answer) => {
          answer(null, said.request);
          await broken();
        },
        Spread: async (stream) => {
          stream.write({ text: "one" });
          stream.end();
          await broken();
        },
      },
    },
  );
  const caller = client(listener.port);
  for (const name of ["Say", "Spread"] as const)
    expect(await call(caller, name, ["one"])).toMatchObject({ texts: ["one"], code: status.OK });
  await expect.poll(() => problems).toHaveLength(2);
});

test("a handler that rejects because its caller left is nobody's mistake", async () => {
  let left = () => {};
  const gone = new Promise<void>((resolve) => {
    left = resolve;
  });
  const { listener, problems } = await served(
    {},
    {
      handlers: {
        Spread: async (stream) => {
          stream.write({ text: "one" });
          await new Promise((resolve) => stream.once("cancelled", resolve));
          queueMicrotask(left);
          throw new Error("cancelled");
        },
      },
    },
  );
  const begun = started(client(listener.port), "Spread", ["one"], {});
  await begun.first;
  begun.cancel();
  await gone;
  await new Promise((resolve) => setImmediate(resolve));
  expect(problems).toEqual([]);
});
