import { spawnSync } from "node:child_process";

/** Go, on the PATH or where its installation puts it. Throws with what to install where there is none. */
export function goCommand(): string {
  const found = ["go", "/usr/local/go/bin/go"].find((command) => !spawnSync(command, ["version"], { stdio: "ignore" }).error);
  if (found !== undefined) return found;
  throw new Error(
    "go is missing, and test:interop does not skip: install Go 1.25 or newer, https://go.dev/doc/install (apt-get install golang-go where that is so new)",
  );
}
