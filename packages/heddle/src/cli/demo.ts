import { type Command, UsageError } from "./command.ts";

export const demo: Command = {
  usage: "demo [--keep]",
  summary: "Starts real services on loopback, edits their mesh while they run, and measures what happens.",
  run() {
    throw new UsageError("to be written");
  },
};
