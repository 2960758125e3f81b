import { type CallOptions, nearest } from "@heddle/core";

/** Every key of {@link CallOptions}; `satisfies` keeps the two in step. */
const KEYS = { timeout: true, retry: true, idempotent: true, tags: true } satisfies Record<keyof CallOptions, true>;

const NAMES: readonly string[] = Object.keys(KEYS);

export function isCallOption(name: string): name is keyof CallOptions {
  return Object.hasOwn(KEYS, name);
}

/** Throws TypeError for a key that does not exist, so that a misspelt policy is not silently absent. */
export function checkCallOptions(options: CallOptions | undefined): void {
  if (options === undefined) return;
  if (typeof options !== "object" || options === null) throw new TypeError("mesh: call options must be an object");
  for (const name in options) if (!isCallOption(name)) throw unknownKey(`mesh.${name}`, name, NAMES);
}

export function unknownKey(where: string, name: string, known: readonly string[]): TypeError {
  const meant = nearest(name, known);
  return new TypeError(`${where} is not an option${meant ? `; did you mean ${meant}?` : `; there are ${known.join(", ")}`}`);
}

export const CALL_OPTION_NAMES: readonly string[] = NAMES;
