import { EventEmitter } from "node:events";
import type { Closing } from "@heddle/core";
import { virtualClock } from "@heddle/testing";
import { expect, test } from "vitest";
import { type ClosableMesh, type CloseOnOptions, closeOn, SAME_SIGNAL_MS } from "./close-on.ts";

function signalled() {
  const clock = virtualClock();
  const closings = new Set<Closing>();
  const closes: CloseOnOptions[] = [];
  const closed = Promise.withResolvers<void>();
  const exits: (number | undefined)[] = [];
  const mesh: ClosableMesh = {
    clock,
    onClose(closing) {
      closings.add(closing);
      return () => closings.delete(closing);
    },
    async close(options) {
      closes.push(options);
      for (const closing of closings) await closing.close();
      await closed.promise;
    },
  };
  const process = Object.assign(new EventEmitter(), {
    exitCode: undefined as number | undefined,
    exit: (code?: number) => exits.push(code),
  });
  const listeners = () => process.listenerCount("SIGTERM") + process.listenerCount("SIGINT");
  return { clock, closings, closes, closed, exits, mesh, process, listeners };
}

test("the first signal closes the mesh as told, and then ends the process", async () => {
  const { mesh, process, closes, closed, exits, listeners, closings } = signalled();
  closeOn(mesh, ["SIGTERM", "SIGINT", "SIGTERM"], { drain: "5s", limit: "1s" }, process);
  expect(listeners()).toBe(2);
  process.emit("SIGTERM");
  expect(closes).toEqual([{ drain: "5s", limit: "1s" }]);
  await new Promise(setImmediate);
  expect(exits).toEqual([]);
  closed.resolve();
  await expect.poll(() => exits).toEqual([undefined]);
  expect([listeners(), closings.size, process.exitCode]).toEqual([0, 0, undefined]);
});

test("a mesh that could not be closed ends the process with 1", async () => {
  const { mesh, process, closed, exits } = signalled();
  closeOn(mesh, ["SIGTERM"], {}, process);
  process.emit("SIGTERM");
  closed.reject(new Error("broken"));
  await expect.poll(() => exits).toHaveLength(1);
  expect(process.exitCode).toBe(1);
});

test("where the application listens for the signal too, the end of the process stays with it", async () => {
  const { mesh, process, closed, exits, listeners } = signalled();
  process.on("SIGTERM", () => {});
  closeOn(mesh, ["SIGTERM"], {}, process);
  process.emit("SIGTERM");
  closed.resolve();
  await expect.poll(listeners).toBe(1);
  expect(exits).toEqual([]);
});

test("a second signal ends the process at once, but not one that is the first again", async () => {
  const { mesh, process, closes, exits, clock } = signalled();
  closeOn(mesh, ["SIGTERM", "SIGINT"], {}, process);
  process.emit("SIGINT");
  await clock.advance(SAME_SIGNAL_MS);
  process.emit("SIGINT");
  expect(exits).toEqual([]);
  await clock.advance(1);
  process.emit("SIGTERM");
  expect(exits).toEqual([143]);
  expect(closes).toHaveLength(1);
});

test("a mesh that is closed in another way, and one that is disposed of, leave the signals alone", async () => {
  const first = signalled();
  closeOn(first.mesh, ["SIGTERM", "SIGINT"], {}, first.process);
  first.closed.resolve();
  await first.mesh.close({});
  expect([first.listeners(), first.exits]).toEqual([0, []]);
  const second = signalled();
  closeOn(second.mesh, ["SIGTERM", "SIGINT"], {}, second.process)[Symbol.dispose]();
  expect([second.listeners(), second.closings.size]).toEqual([0, 0]);
});
