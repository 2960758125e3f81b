import { parseArgs } from "node:util";
import { validateSnapshot } from "@heddle/core";
import { securityProblems } from "./assumed-identity.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { readDocument } from "./read-document.ts";

export const validate: Command = {
  usage: "validate FILE... [--json]",
  summary: "Checks documents and prints every mistake with its place. Exit 1 if there is an error; warnings alone are 0.",
  async run(args, { out }) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { json: { type: "boolean" } } });
    if (positionals.length === 0) throw new UsageError("name at least one document");
    let failed = false;
    for (const file of positionals) {
      const { snapshot, problems } = readDocument(file);
      const all = [...problems, ...(snapshot ? [...validateSnapshot(snapshot), ...securityProblems(snapshot)] : [])];
      const isValid = snapshot !== null && all.every(({ severity }) => severity !== "error");
      failed ||= !isValid;
      if (values.json) {
        out.write(`${JSON.stringify({ file, valid: isValid, problems: all })}\n`);
        continue;
      }
      for (const { where, message, severity } of all) out.write(`${severity}: ${where}: ${message}\n`);
      if (isValid && snapshot) {
        out.write(`${file}: valid (${snapshot.virtualHosts.length} services, ${snapshot.backends.size} backends)\n`);
      } else out.write(`${file}: ${all.length} ${all.length === 1 ? "mistake" : "mistakes"}\n`);
    }
    return failed ? EXIT.failed : EXIT.ok;
  },
};
