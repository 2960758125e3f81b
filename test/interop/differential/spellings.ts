import type { PathNormalisation } from "@heddle/core";
import type { Draws } from "./draws.ts";

/** Another way to write a path, or a path that is nearly it. */
export function spelling(draws: Draws, path: string, setting: PathNormalisation): string {
  // Where nothing is normalised most would be paths that no rule knows.
  if (draws.chance(setting === "none" ? 0.7 : 0.4)) return path;
  let written = path;
  for (let times = draws.integer(1, 2); times > 0; times--) written = draws.weighted(CHANGES)(draws, written);
  return written;
}

type Change = (draws: Draws, path: string) => string;

const CHANGES: readonly (readonly [number, Change])[] = [
  [4, (draws, path) => atSlash(draws, path, draws.one(["//", "///"]))],
  [3, (draws, path) => atSlash(draws, path, draws.one(["/./", "/x/../", "/x/y/../../", "/../"]))],
  [2, (draws, path) => atSlash(draws, path, draws.one(["/%2E/", "/x/%2E%2E/", "/x/.%2E/", "/..x/", "/.x/", "/x/%2E./"]))],
  [0.4, (draws, path) => atSlash(draws, path, draws.one(["/%2e/", "/x/%2E%2e/", "/..;/"]))],
  [2, (draws, path) => atSlash(draws, path, draws.one(["%2F", "%5C"]))],
  [0.2, (draws, path) => atSlash(draws, path, draws.one(["%2f", "%5c"]))],
  [1, (draws, path) => atSlash(draws, path, "\\")],
  [2, escapeOne],
  [2, (draws, path) => path + draws.one(["/", "/.", "/..", "x", "%20", "%252F"])],
  [0.4, (draws, path) => path + draws.one(["%zz", "%", "%00", "%4"])],
  [1, (draws, path) => path + draws.one(["%3A", "%c3%A9", "%C3%A9", ";v=1", "~", "%7E", "%21", "*", "[", "|", "'", "@:"])],
];

function atSlash(draws: Draws, path: string, between: string): string {
  const slashes = [...path].flatMap((character, index) => (character === "/" ? [index] : []));
  const at = draws.one(slashes);
  // A path begins with a slash, whatever follows.
  const first = at === 0 && !between.startsWith("/") ? "/" : "";
  return path.slice(0, at) + first + between + path.slice(at + 1);
}

/** A letter as its escape, which means the same. */
function escapeOne(draws: Draws, path: string): string {
  const letters = [...path].flatMap((character, index) =>
    /[a-z]/.test(character) && path[index - 1] !== "%" && path[index - 2] !== "%" ? [index] : [],
  );
  if (letters.length === 0) return path;
  const at = draws.one(letters);
  return `${path.slice(0, at)}%${path.charCodeAt(at).toString(16).toUpperCase()}${path.slice(at + 1)}`;
}
