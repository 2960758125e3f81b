import { type CallOptions, describeValue, nearest, parseDuration } from "@heddle/core";

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
  for (const name in options) {
    if (!isCallOption(name)) throw unknownKey(`mesh.${name}`, name, NAMES);
    const value = options[name];
    const mistake = value === undefined ? null : MISTAKES[name](value);
    if (mistake !== null) throw new TypeError(`mesh.${name}: ${mistake}, not ${describeValue(value)}`);
  }
}

/** What a value must be where it is not; null where it is. A wrong one would leave the policy as it was without a word. */
const MISTAKES: Readonly<Record<keyof CallOptions, (value: unknown) => string | null>> = {
  timeout: (value) => (parseDuration(value) === undefined ? 'must be milliseconds or a duration such as "250ms"' : null),
  retry: (value) => (value === false ? null : "must be false: a call can only turn retries off"),
  idempotent: (value) => (typeof value === "boolean" ? null : "must be a boolean"),
  tags: (value) => (isTags(value) ? null : "must be an object of strings"),
};

function isTags(value: unknown): boolean {
  return (
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((tag) => typeof tag === "string")
  );
}

export function unknownKey(where: string, name: string, known: readonly string[]): TypeError {
  const meant = nearest(name, known);
  return new TypeError(`${where} is not an option${meant ? `; did you mean ${meant}?` : `; there are ${known.join(", ")}`}`);
}

export const CALL_OPTION_NAMES: readonly string[] = NAMES;
