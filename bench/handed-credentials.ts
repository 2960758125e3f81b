import { readFileSync } from "node:fs";
import { join } from "node:path";

/** As PEM. */
export interface Credentials {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/** Beside the authority's own folder, in which nothing but its own files may lie. */
export function credentialsFile(authority: string, service: string): string {
  return join(authority, "..", `${service}.json`);
}

/** What the run's authority issued for a process that has no mesh. */
export function readCredentials(authority: string, service: string): Credentials {
  return JSON.parse(readFileSync(credentialsFile(authority, service), "utf8")) as Credentials;
}
