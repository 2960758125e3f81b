import { nearest } from "./nearest.ts";

/** A misspelt option would be accepted and ignored. Throws TypeError that names the one that was probably meant. */
export function checkKeys(options: object, known: readonly string[], where: string): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    throw new TypeError(
      `${where}: there is no option ${JSON.stringify(name)}; ${meant === null ? `there are ${known.join(", ")}` : `did you mean ${JSON.stringify(meant)}?`}`,
    );
  }
}
