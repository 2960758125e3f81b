import type { Route } from "./route.ts";

/** Names of every backend that requests of a route, or copies of them, may be sent to. */
export function backendsOfRoute({ action, mirrors, fallback }: Route): readonly string[] {
  if (action.kind !== "forward") return [];
  const names = [...action.to, ...mirrors].map(({ backend }) => backend);
  return fallback?.action.kind === "forward" ? [...names, fallback.action.backend] : names;
}
