import { Metadata, status } from "@grpc/grpc-js";
import { context } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { call, type EchoHandlers, type Method, started } from "./echo-service.ts";
import { authority, client, provingTo, served } from "./serving.ts";

const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Each looks for its scope wherever it runs. */
function handlersThatLook(look: (where: string) => void): EchoHandlers {
  return {
    Say: async (said, answer) => {
      look("Say");
      await tick();
      look("Say after await");
      answer(null, said.request);
    },
    Gather: (stream, answer) => {
      look("Gather");
      stream.on("data", () => look("Gather data"));
      stream.on("end", () => {
        look("Gather end");
        answer(null, { text: "done" });
      });
    },
    Spread: async (stream) => {
      look("Spread");
      for (let count = 0; count < 3; count++) {
        await new Promise((written) => stream.write({ text: "x".repeat(100_000) }, written));
        look("Spread written");
      }
      stream.end();
    },
    Talk: async (stream) => {
      look("Talk");
      for await (const said of stream) {
        look("Talk message");
        await tick();
        look("Talk after await");
        stream.write(said);
      }
      look("Talk ended");
      stream.end();
    },
  };
}

test("handlers of all kinds find their own call in context(), after await and in events of streams too", async () => {
  const scopes = new Map<unknown, Set<string>>();
  const look = (where: string) => {
    const inbound = context();
    const seen = scopes.get(inbound) ?? new Set();
    scopes.set(inbound, seen.add(where));
  };
  const { listener } = await served({}, { handlers: handlersThatLook(look) });
  const caller = client(listener.port);
  const names: Method[] = ["Say", "Gather", "Spread", "Talk", "Talk"];
  await Promise.all(names.map((name) => call(caller, name, ["one", "two", "three"])));
  expect(scopes.has(undefined)).toBe(false);
  expect([...scopes.values()].map((places) => [...places].sort())).toEqual(
    expect.arrayContaining([
      ["Say", "Say after await"],
      ["Gather", "Gather data", "Gather end"],
      ["Spread", "Spread written"],
      ["Talk", "Talk after await", "Talk ended", "Talk message"],
    ]),
  );
  expect(scopes.size).toBe(5);
});

describe("a deadline", () => {
  test("of the caller is enforced while a handler does nothing, and its signal aborts", async () => {
    let signal: AbortSignal | undefined;
    const { listener, lines, inFlight } = await served(
      {},
      {
        handlers: {
          Say: () => {
            signal = context()?.signal;
          },
        },
      },
    );
    const metadata = new Metadata();
    // The client itself does not give up: the status is the server's.
    metadata.set("grpc-timeout", "100m");
    expect(await call(client(listener.port), "Say", ["one"], { metadata })).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
      details: "Deadline exceeded",
    });
    await expect.poll(() => signal?.aborted).toBe(true);
    await expect.poll(inFlight).toBe(0);
    expect(lines).toHaveLength(1);
  });

  test("in a month is one that has not passed", async () => {
    const { listener } = await served({});
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "99999999S");
    expect((await call(client(listener.port), "Say", ["one"], { metadata })).code).toBe(status.OK);
  });

  test("that passed before the stack let the call through reaches no handler", async () => {
    let runs = 0;
    const { listener } = await served(
      {},
      {
        handlers: { Say: () => runs++ },
        layers: [
          {
            at: "inbound",
            layer: (next) => async (request) => {
              await new Promise((late) => setTimeout(late, 150));
              return next(request);
            },
          },
        ],
      },
    );
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "20m");
    expect((await call(client(listener.port), "Say", ["one"], { metadata })).code).toBe(status.DEADLINE_EXCEEDED);
    expect(runs).toBe(0);
  });

  test("of a caller that is believed is what the handler's own calls inherit", async () => {
    const left: unknown[] = [];
    const { listener } = await served(
      { mtls: "strict" },
      {
        identity: authority.source("reviews"),
        handlers: {
          Say: async (said, answer) => {
            await tick();
            left.push(context()?.remainingMs());
            answer(null, said.request);
          },
        },
      },
    );
    const caller = client(listener.port, provingTo(authority, "web"));
    expect((await call(caller, "Say", ["one"], { deadline: Date.now() + 60_000 })).code).toBe(status.OK);
    expect(left[0]).toBeGreaterThan(30_000);
    expect(left[0]).toBeLessThanOrEqual(60_000);
  });

  test("of a caller that is believed ends a stream in the midst of its messages, and a handler that still writes does no harm", async () => {
    const seen: { cancelled?: boolean; signal?: AbortSignal | undefined } = {};
    const { listener, lines, inFlight } = await served(
      { mtls: "strict" },
      {
        identity: authority.source("reviews"),
        handlers: {
          Talk: (stream) => {
            seen.signal = context()?.signal;
            stream.on("data", (said) => stream.write(said));
            stream.on("error", () => {});
            stream.on("cancelled", () => {
              seen.cancelled = true;
              stream.write({ text: "late" });
              stream.end();
            });
          },
        },
      },
    );
    const metadata = new Metadata();
    metadata.set("grpc-timeout", "300m");
    const { outcome } = started(client(listener.port, provingTo(authority, "web")), "Talk", ["one"], { metadata }, true);
    expect(await outcome).toMatchObject({ texts: ["one"], code: status.DEADLINE_EXCEEDED });
    await expect.poll(() => seen.cancelled).toBe(true);
    expect(seen.signal?.aborted).toBe(true);
    await expect.poll(inFlight).toBe(0);
    expect(lines).toHaveLength(1);
  });
});

describe("nothing is left in flight", () => {
  test.each(["Say", "Gather", "Spread", "Talk"] as const)("after %s is cancelled while its handler runs", async (name) => {
    const signals: AbortSignal[] = [];
    const hold = () => void signals.push(context()?.signal as AbortSignal);
    const { listener, lines, inFlight } = await served({}, { handlers: { [name]: hold } });
    const caller = client(listener.port);
    const { outcome, cancel } = started(caller, name, ["one"], {}, true);
    await expect.poll(() => signals.length).toBe(1);
    expect(inFlight()).toBe(1);
    cancel();
    expect((await outcome).code).toBe(status.CANCELLED);
    await expect.poll(inFlight).toBe(0);
    expect(signals[0]?.aborted).toBe(true);
    await expect.poll(() => lines).toMatchObject([{ outcome: "cancelled" }]);
  });

  test("after the connection breaks in the middle of streams", async () => {
    const { listener, mesh, inFlight } = await served({});
    const caller = client(listener.port);
    const calls = Array.from({ length: 10 }, () => started(caller, "Talk", ["one"], {}, true));
    await Promise.all(calls.map(({ first }) => first));
    expect(inFlight()).toBe(10);
    listener.destroy();
    for (const { outcome } of calls) expect((await outcome).code).not.toBe(status.OK);
    await expect.poll(inFlight).toBe(0);
    expect(mesh.inspect().inbound.inFlight).toBe(0);
  });

  test("after handlers that throw, fail, or answer what cannot be sent", async () => {
    const handlers: Partial<EchoHandlers> = {
      Say: () => {
        throw new Error("a secret");
      },
      Gather: (_stream, answer) => answer({ code: status.DATA_LOSS, details: "lost ü", metadata: new Metadata() }),
      Spread: (stream) => stream.emit("error", { code: status.NOT_FOUND, details: "nothing" }),
      Talk: () => {
        throw new Error("a secret");
      },
    };
    const { listener, lines, inFlight } = await served({}, { handlers });
    const caller = client(listener.port);
    const outcomes = [];
    for (const name of ["Say", "Gather", "Spread", "Talk"] as const) outcomes.push(await call(caller, name, ["one"]));
    expect(outcomes).toMatchObject([
      { code: status.UNKNOWN, details: "Unknown error" },
      { code: status.DATA_LOSS, details: "lost ü" },
      { code: status.NOT_FOUND, details: "nothing" },
      { code: status.UNKNOWN, details: "Unknown error" },
    ]);
    await expect.poll(inFlight).toBe(0);
    expect(lines).toHaveLength(4);
  });
});
