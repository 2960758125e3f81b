import { type CertificateSource, meshError, type Problem, type Report } from "@heddle/core";
import type { Reply } from "@heddle/http";
import { PROCESS } from "../find-config.ts";
import { identityFromEnvironment } from "../identity.ts";
import { type JoinedMesh, joinMesh } from "../join.ts";
import { demandsIdentity, securityProblems } from "./assumed-identity.ts";
import { type Command, EXIT, type Output, UsageError } from "./command.ts";
import { bareMessage, headText, reportText } from "./curl-report.ts";
import { type CurlRequest, parseCurl } from "./curl-request.ts";
import { findDocument } from "./find-document.ts";
import { readDocument } from "./read-document.ts";

export const curl: Command = {
  usage: "curl [METHOD] URL [-H 'name: value']... [-d DATA | -d @FILE] [-i] [-m TIMEOUT] [--config FILE] [--identity FOLDER] [--json]",
  summary:
    "Sends a real request through the mesh: the body to stdout, after its head with -i, and what happened to it to stderr. " +
    "Data is application/json unless -H says otherwise. Without --config and --identity, what joinMesh would find. Exit 1 if it failed or was answered with 400 or more.",
  async run(args, output) {
    const request = parseCurl(args);
    const { config, file } = await findDocument(request.config, PROCESS);
    const given = request.identity ?? PROCESS.env.HEDDLE_IDENTITY ?? "";
    if (file !== null && !isWell(file, given !== "", output)) return EXIT.failed;
    try {
      const identity = given === "" ? {} : { identity: identityOf(given) };
      const onProblem = (problem: Problem) => tell(problem, output);
      await using mesh = await joinMesh({ config, ...identity, accessLog: false, startTimeout: "5s", onProblem });
      return await send(mesh, request, output);
    } catch (error) {
      return fail(error, undefined, request, output);
    }
  },
};

function identityOf(given: string): CertificateSource {
  try {
    return identityFromEnvironment(given);
  } catch (error) {
    throw new UsageError(
      error instanceof Error ? error.message.replace("joinMesh: HEDDLE_IDENTITY", "--identity or HEDDLE_IDENTITY") : String(error),
    );
  }
}

/** A file that has mistakes, or wants more than there is, would be waited for until it is mended. */
function isWell(file: string, hasIdentity: boolean, output: Output): boolean {
  const { snapshot, problems } = readDocument(file);
  const mistakes = snapshot === null ? problems : securityProblems(snapshot);
  const lacksIdentity = snapshot !== null && !hasIdentity && demandsIdentity(snapshot, PROCESS.env.HEDDLE_SERVICE || null);
  for (const problem of mistakes) tell(problem, output);
  if (lacksIdentity)
    output.err.write(`error: ${file} calls by mutual TLS: say who calls, with --identity FOLDER or HEDDLE_IDENTITY (docs/mtls.md)\n`);
  return snapshot !== null && mistakes.length === 0 && !lacksIdentity;
}

function tell({ severity, where, message }: Problem, { err }: Output): void {
  err.write(`${severity}: ${where}: ${message}\n`);
}

async function send(mesh: JoinedMesh, request: CurlRequest, output: Output): Promise<number> {
  const { url, method, headers, body, timeout } = request;
  let report: Report | undefined;
  try {
    const reply = await mesh.request(url, {
      method,
      headers,
      ...(body === null ? {} : { body }),
      ...(timeout === undefined ? {} : { mesh: { timeout } }),
    });
    report = mesh.report(reply);
    const write = request.isJson ? writeJson : writeAsItIs;
    await write(reply, report, request, output);
    return reply.status < 400 ? EXIT.ok : EXIT.failed;
  } catch (error) {
    return fail(error, report ?? mesh.report(error), request, output);
  }
}

async function writeJson(reply: Reply, report: Report | undefined, _request: CurlRequest, { out }: Output): Promise<void> {
  const { status, headers } = reply;
  out.write(`${JSON.stringify({ status, headers, body: await reply.text(), report: report ?? null })}\n`);
}

async function writeAsItIs(
  reply: Reply,
  report: Report | undefined,
  { showsHead, method, url }: CurlRequest,
  { out, err }: Output,
): Promise<void> {
  if (showsHead) out.write(headText(reply.status, reply.headers));
  for await (const chunk of reply.stream()) out.write(chunk);
  err.write(reportText(`${method} ${url}: ${reply.status}`, report));
}

/** A failure of the mesh, or of a host that is none of its services. A TypeError is said of options: that is the command line's fault. */
function fail(error: unknown, report: Report | undefined, { method, url, isJson }: CurlRequest, { out, err }: Output): number {
  const failure = factsOf(error);
  if (isJson) out.write(`${JSON.stringify({ error: failure, report: report ?? null })}\n`);
  else err.write(reportText(`${method} ${url}: ${failure.code}: ${bareMessage(failure.message, method, url, report)}`, report));
  return EXIT.failed;
}

interface Failure {
  readonly code: string;
  readonly message: string;
  /** What a proxy would have answered; null where no mesh had a part in it. */
  readonly status: number | null;
}

function factsOf(error: unknown): Failure {
  const failure = meshError(error);
  if (failure !== undefined) return { code: failure.code, message: failure.message, status: failure.status };
  if (error instanceof TypeError) throw new UsageError(error.message);
  if (!(error instanceof Error) || error instanceof UsageError) throw error;
  const { code } = error as { readonly code?: unknown };
  return { code: typeof code === "string" ? code : error.name, message: error.message, status: null };
}
