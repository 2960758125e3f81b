import type { TlsSettings } from "./model/backend.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";

/** How the endpoints of a backend are spoken to by this process. */
export function tlsModeOf({ mode }: TlsSettings, hasIdentity: boolean): "disable" | "simple" | "mutual" {
  if (mode === "demanded") return "mutual";
  if (mode !== "automatic") return mode;
  return hasIdentity ? "mutual" : "disable";
}

/** What this process demands of who calls it. */
export function mtlsModeOf({ mtls }: InboundPolicy, hasIdentity: boolean): "strict" | "permissive" | "disable" {
  if (mtls !== "automatic") return mtls;
  return hasIdentity ? "strict" : "disable";
}
