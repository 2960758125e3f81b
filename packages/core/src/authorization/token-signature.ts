import { createRequire } from "node:module";
import type { JwtAlgorithm } from "../model/jwt.ts";
import type { VerificationKey } from "./terms/jwks.ts";

type Jose = typeof import("jose");
type ImportedKey = Awaited<ReturnType<Jose["importJWK"]>>;

const require = createRequire(import.meta.url);

/** Loads what verifies: tens of milliseconds once, in which nothing else runs. */
export function loadJose(): Jose {
  return require("jose") as Jose;
}

/** By algorithm, as keys are imported for one; gone with the set that holds the key. */
const imported = new WeakMap<VerificationKey, Map<JwtAlgorithm, Promise<ImportedKey>>>();

/** Whether `text`, a JWS in compact form whose header names `algorithm`, was signed with this key. */
export async function isSignedWith(text: string, key: VerificationKey, algorithm: JwtAlgorithm): Promise<boolean> {
  try {
    await loadJose().compactVerify(text, await importedKey(key, algorithm), { algorithms: [algorithm] });
    return true;
  } catch {
    return false; // A signature that is not good, a key that is none (a point off its curve): neither proves anything.
  }
}

function importedKey(key: VerificationKey, algorithm: JwtAlgorithm): Promise<ImportedKey> {
  const known = imported.get(key) ?? new Map<JwtAlgorithm, Promise<ImportedKey>>();
  imported.set(key, known);
  const before = known.get(algorithm);
  if (before) return before;
  const promise = loadJose().importJWK({ ...key.jwk }, algorithm);
  known.set(algorithm, promise);
  return promise;
}
