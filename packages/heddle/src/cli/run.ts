import { readFileSync } from "node:fs";
import { nearest } from "@heddle/core";
import { type Command, EXIT, type Output, UsageError } from "./command.ts";

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  validate: async () => (await import("./validate.ts")).validate,
  explain: async () => (await import("./explain.ts")).explain,
  curl: async () => (await import("./curl.ts")).curl,
  doctor: async () => (await import("./doctor.ts")).doctor,
  demo: async () => (await import("./demo.ts")).demo,
  ca: async () => (await import("./ca.ts")).ca,
};

/** Runs one command line and returns its exit code. */
export async function run(argv: readonly string[], output: Output): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    output.out.write(await overview());
    return EXIT.ok;
  }
  if (name === "--version" || name === "-v") {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as { version: string };
    output.out.write(`${version}\n`);
    return EXIT.ok;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    const meant = nearest(name, Object.keys(COMMANDS));
    output.err.write(
      `heddle: there is no command ${JSON.stringify(name)}${meant ? `; did you mean ${meant}?` : ""}\n\n${await overview()}`,
    );
    return EXIT.usage;
  }
  const command = await load();
  try {
    return await command.run(args, output);
  } catch (error) {
    if (!isUsageError(error)) throw error;
    output.err.write(`heddle ${name}: ${error.message}\nusage: heddle ${command.usage}\n`);
    return EXIT.usage;
  }
}

/** Ours, or what node:util's parseArgs throws. */
function isUsageError(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS"));
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const lines = commands.map(({ usage, summary }) => `  heddle ${usage}\n      ${summary}\n`);
  return `usage:\n${lines.join("")}exit codes: 0 well, 1 not well, 2 wrong command line\n`;
}
