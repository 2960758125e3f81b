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
    output.err.write(`heddle ${name}: ${meantOption(error, command.usage) ?? error.message}\nusage: heddle ${command.usage}\n`);
    return EXIT.usage;
  }
}

/** Ours, or what node:util's parseArgs throws. */
function isUsageError(error: unknown): error is Error {
  return error instanceof UsageError || (error instanceof Error && String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS"));
}

/** Of an option that there is not, what parseArgs does not say. */
function meantOption(error: Error, usage: string): string | null {
  if ((error as { readonly code?: unknown }).code !== "ERR_PARSE_ARGS_UNKNOWN_OPTION") return null;
  const written = /'(--?[^' ,=]+)/.exec(error.message)?.[1];
  if (written === undefined) return null;
  const known = Array.from(usage.matchAll(/--[a-z][a-z-]*/g), ([option]) => option);
  const meant = nearest(written.replace(/^-+/, ""), new Set(known.map((option) => option.slice(2))));
  return `there is no option ${written}${meant === null ? "" : `; did you mean --${meant}?`}`;
}

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map((load) => load()));
  const lines = commands.map(({ usage, summary }) => `  heddle ${usage}\n      ${summary}\n`);
  return `usage:\n${lines.join("")}exit codes: 0 well, 1 not well, 2 wrong command line\n`;
}
