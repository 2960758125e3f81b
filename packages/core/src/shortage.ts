/**
 * What this process has run out of when it cannot connect. It says nothing about the endpoint that it tried. `ports` are counted for each
 * destination, so that another endpoint may still be reached; the rest is missing whichever is tried.
 */
export type Shortage = "descriptors" | "memory" | "ports";

const SHORTAGES: ReadonlyMap<unknown, Shortage> = new Map([
  ["EMFILE", "descriptors"],
  ["ENFILE", "descriptors"],
  ["ENOBUFS", "memory"],
  ["ENOMEM", "memory"],
  ["EADDRNOTAVAIL", "ports"],
  ["EADDRINUSE", "ports"],
]);

const WORDS: Readonly<Record<Shortage, string>> = {
  descriptors: "this process has no file descriptor left",
  memory: "the system has no memory left for a connection",
  ports: "no local port or address is left for a connection to it",
};

/** Finds it in an error of the transport, or in its causes. Where several addresses were tried, all must have failed for it. */
export function shortageOf(error: unknown): Shortage | null {
  let current = error;
  for (let depth = 0; depth < 8 && typeof current === "object" && current !== null; depth++) {
    if (current instanceof AggregateError) {
      const found = current.errors.map(shortageOf);
      return found.every((shortage) => shortage !== null) ? (found[0] ?? null) : null;
    }
    const shortage = SHORTAGES.get((current as { code?: unknown }).code);
    if (shortage !== undefined) return shortage;
    current = (current as { cause?: unknown }).cause;
  }
  return null;
}

/** In words, behind what the system said; empty where nothing is short. */
export function shortageWords(error: unknown): string {
  const shortage = shortageOf(error);
  return shortage === null ? "" : `; ${WORDS[shortage]}, which is not held against the endpoint`;
}
