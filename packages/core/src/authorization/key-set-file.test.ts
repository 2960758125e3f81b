import { expect, test } from "vitest";
import { signingKey } from "../../test/token-issuer.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { FileKeySet } from "./key-set-file.ts";

const textOf = (kid: string) => JSON.stringify({ keys: [signingKey("P-256", kid).jwk] });
const first = textOf("first");
const second = textOf("second");

function fileOf(text: string | null) {
  const clock = virtualClock();
  const problems: string[] = [];
  const file = { text, stamp: 0, reads: 0, stamps: 0 };
  const files = {
    stamp: async () => {
      file.stamps++;
      if (file.text === null) throw new Error("it does not exist");
      return String(file.stamp);
    },
    read: async () => {
      file.reads++;
      return file.text ?? "";
    },
  };
  const keySet = new FileKeySet("/keys.json", { files, clock, report: (problem) => void problems.push(problem) });
  const kids = async () => (await keySet.load())?.keys.map(({ kid }) => kid) ?? null;
  const write = (next: string | null) => Object.assign(file, { text: next, stamp: file.stamp + 1 });
  return { clock, problems, file, keySet, kids, write };
}

test("reads the file when first asked, once for all who wait", async () => {
  const { keySet, file, kids } = fileOf(first);
  expect(keySet.current()).toBeNull();
  expect(await Promise.all([kids(), kids(), kids()])).toEqual([["first"], ["first"], ["first"]]);
  expect(file.reads).toBe(1);
  expect(keySet.current()?.keys.length).toBe(1);
});

test("a change is in force within a second, also where nobody asked for long", async () => {
  const { keySet, kids, write, clock } = fileOf(first);
  await kids();
  write(second);
  clock.tick(999);
  expect(keySet.current()?.keys[0]?.kid).toBe("first");
  clock.tick(1);
  expect(keySet.current()).toBeNull();
  expect(await kids()).toEqual(["second"]);
});

test("a file that did not change is not read again, and one with the same text gives the same keys", async () => {
  const { keySet, file, write, clock } = fileOf(first);
  const ring = await keySet.load();
  clock.tick(1_000);
  expect(await keySet.load()).toBe(ring);
  expect(file).toMatchObject({ reads: 1, stamps: 2 });
  write(first);
  clock.tick(1_000);
  expect(await keySet.load()).toBe(ring);
  expect(file.reads).toBe(2);
});

test.each([
  ["half of a file", first.slice(0, -5), "/keys.json: it is not JSON"],
  ["a file without keys", "{}", "/keys.json: it is not a JSON object with a list named keys"],
  ["no file", null, "/keys.json: it does not exist"],
])("%s leaves the last good keys in force, and is told once", async (_what, text, problem) => {
  const { kids, write, clock, problems, keySet } = fileOf(first);
  await kids();
  write(text);
  for (let count = 0; count < 3; count++) {
    clock.tick(1_000);
    expect(await kids()).toEqual(["first"]);
  }
  expect(problems).toEqual([`${problem}; the last good keys stay in force`]);
  write(second);
  clock.tick(1_000);
  expect(await kids()).toEqual(["second"]);
  expect(keySet.problem).toBeNull();
});

test("a file that is not there at the start refuses every token until it is", async () => {
  const { kids, write, clock, problems } = fileOf(null);
  expect(await kids()).toBeNull();
  expect(problems).toEqual(["/keys.json: it does not exist; every token is refused"]);
  write(first);
  clock.tick(1_000);
  expect(await kids()).toEqual(["first"]);
});

test("a file whose keys are all of no use is believed, and told", async () => {
  const { kids, write, clock, problems } = fileOf(first);
  await kids();
  write('{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}');
  clock.tick(1_000);
  expect(await kids()).toEqual([]);
  expect(problems).toEqual(["/keys.json: it has no key that can be used (key 1: it is a symmetric key); every token is refused"]);
});
