import { caInit } from "./ca-init.ts";
import { caIssue } from "./ca-issue.ts";
import { type Command, UsageError } from "./command.ts";

const SUBCOMMANDS: Readonly<Record<string, Command>> = { init: caInit, issue: caIssue };

export const ca: Command = {
  usage: `${caInit.usage}\n  heddle ${caIssue.usage}`,
  summary: `${caInit.summary} ${caIssue.summary} For development only. Exit 1 if something is in the way.`,
  async run(args, output) {
    const [name = "", ...rest] = args;
    const subcommand = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
    if (subcommand === undefined)
      throw new UsageError(name === "" ? "say init or issue" : `there is no ca ${JSON.stringify(name)}; expected init or issue`);
    return subcommand.run(rest, output);
  },
};
