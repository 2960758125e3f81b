import type { Violation } from "./source-file.ts";

const NO_SINGLE_JOB = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "base"];
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|interop|leaks|config|d))*\.m?ts$/;

/** A file or folder whose best name is one of these has no single job. TypeScript files are named in kebab-case. */
export function checkNames(paths: readonly string[]): readonly Violation[] {
  return paths.flatMap((path) => {
    const parts = path.split("/");
    const vague = parts.map((part) => part.split(".")[0] ?? part).find((name) => NO_SINGLE_JOB.includes(name.split("-").at(-1) ?? name));
    return [
      ...(vague === undefined ? [] : [{ where: path, message: `"${vague}" names no job; name what it does` }]),
      ...(/\.m?ts$/.test(path) && !KEBAB.test(parts.at(-1) ?? path) ? [{ where: path, message: "file names are kebab-case" }] : []),
    ];
  });
}
