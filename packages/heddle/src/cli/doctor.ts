import { parseArgs } from "node:util";
import { nodeResolve } from "@heddle/core";
import { PROCESS } from "../find-config.ts";
import { type Command, EXIT, UsageError } from "./command.ts";
import { copies } from "./doctor/checks/copies.ts";
import { document } from "./doctor/checks/document.ts";
import { endpoints } from "./doctor/checks/endpoints.ts";
import { identity } from "./doctor/checks/identity.ts";
import { keyFiles } from "./doctor/checks/key-files.ts";
import { names } from "./doctor/checks/names.ts";
import { nodeVersion } from "./doctor/checks/node-version.ts";
import { openTelemetry } from "./doctor/checks/opentelemetry.ts";
import { sharedAddresses } from "./doctor/checks/shared-addresses.ts";
import { variables } from "./doctor/checks/variables.ts";
import { readConfiguration } from "./doctor/configuration.ts";
import { tryToConnect } from "./doctor/connect.ts";
import type { Check, Configuration, Finding } from "./doctor/finding.ts";
import { installedPackages } from "./doctor/installed.ts";
import { findDocument } from "./find-document.ts";

const CHECKS: readonly Check[] = [
  nodeVersion,
  copies,
  openTelemetry,
  variables,
  document,
  identity,
  keyFiles,
  sharedAddresses,
  names,
  endpoints,
];

export const doctor: Command = {
  usage: "doctor [--config FILE] [--identity FOLDER] [--json]",
  summary:
    "Looks for what would keep a mesh from working here: versions, copies, variables, the configuration, certificates, key files, names and endpoints. " +
    "Connects to every endpoint once and sends nothing. Exit 1 if it finds an error; warnings alone are 0.",
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: "string" }, identity: { type: "string" }, json: { type: "boolean" } },
    });
    const facts = {
      nodeVersion: process.versions.node,
      packages: installedPackages(process.cwd()),
      env: values.identity === undefined ? PROCESS.env : { ...PROCESS.env, HEDDLE_IDENTITY: values.identity },
      configuration: await configurationOf(values.config),
      resolve: nodeResolve(),
      connect: tryToConnect,
    };
    const findings = (await Promise.all(CHECKS.map((check) => check.find(facts)))).flat();
    const isWell = findings.every(({ severity }) => severity !== "error");
    out.write(values.json ? `${JSON.stringify({ ok: isWell, checked: CHECKS.map(({ about }) => about), findings })}\n` : asText(findings));
    return isWell ? EXIT.ok : EXIT.failed;
  },
};

/** Without --config, that there is none is a finding like others. */
async function configurationOf(given: string | undefined): Promise<Configuration> {
  try {
    return await readConfiguration(await findDocument(given, PROCESS));
  } catch (error) {
    if (given !== undefined || !(error instanceof UsageError)) throw error;
    return { missing: error.message, problems: [], snapshots: [] };
  }
}

function asText(findings: readonly Finding[]): string {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const paragraphs = findings.map(
    ({ severity, what, why, whatToDo }) => `${severity}: ${what}\n  why it matters: ${why}\n  what to do: ${whatToDo}\n`,
  );
  const looked = `looked at: ${CHECKS.map(({ about }) => about).join("; ")}\n`;
  return `${[...paragraphs, looked].join("\n")}${findings.length === 0 ? "nothing found" : `errors: ${errors}, warnings: ${findings.length - errors}`}\n`;
}
