import { type CertificateSource, meshError, nearest, type Problem, type Report } from "@heddle/core";
import type { Reply } from "@heddle/http";
import { PROCESS, type Surroundings } from "../find-config.ts";
import { identityFromEnvironment } from "../identity.ts";
import { type JoinedMesh, joinMesh } from "../join.ts";
import { demandsIdentity, securityProblems } from "./assumed-identity.ts";
import { type Command, EXIT, type Output, UsageError } from "./command.ts";
import { bareMessage, headText, refusalOf, reportText } from "./curl-report.ts";
import { type CurlRequest, parseCurl } from "./curl-request.ts";
import { findDocument } from "./find-document.ts";
import { readDocument } from "./read-document.ts";

export const curl: Command = {
  usage:
    "curl [METHOD] URL [-H 'name: value']... [-d DATA | -d @FILE] [-i] [-m TIMEOUT] [--config FILE] [--identity FOLDER] [--service NAME] [--json]",
  summary:
    "Sends a real request through the mesh: the body to stdout, after its head with -i, and what happened to it to stderr. " +
    "Data is application/json unless -H says otherwise. Without --config and --identity, what joinMesh would find. Exit 1 if it failed or was answered with 400 or more.",
  async run(args, output) {
    const request = parseCurl(args);
    const service = (request.service ?? PROCESS.env.HEDDLE_SERVICE) || null;
    const { config, file } = await findDocument(request.config, asService(service));
    const given = request.identity ?? PROCESS.env.HEDDLE_IDENTITY ?? "";
    if (given === "dev" && service === null)
      throw new UsageError("--identity dev makes the certificate of a service: say of which, with --service NAME or HEDDLE_SERVICE");
    if (file !== null && !isWell(file, { service, hasIdentity: given !== "" }, output)) return EXIT.failed;
    try {
      const who = { ...(given === "" ? {} : { identity: identityOf(given) }), ...(service === null ? {} : { service }) };
      const onProblem = (problem: Problem) => tell(problem, output);
      await using mesh = await joinMesh({ config, ...who, accessLog: false, startTimeout: "5s", onProblem });
      return await send(mesh, request, output);
    } catch (error) {
      return fail(error, undefined, request, output);
    }
  },
};

function asService(service: string | null): Surroundings {
  return service === null ? PROCESS : { ...PROCESS, env: { ...PROCESS.env, HEDDLE_SERVICE: service } };
}

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
function isWell(file: string, { service, hasIdentity }: { service: string | null; hasIdentity: boolean }, output: Output): boolean {
  const { snapshot, problems } = readDocument(file);
  const mistakes = snapshot === null ? problems : securityProblems(snapshot);
  const lacksIdentity = snapshot !== null && !hasIdentity && demandsIdentity(snapshot, service);
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
    return fail(error, report ?? mesh.report(error), request, output, meantHost(url, mesh));
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
  const { named, hint } = refusalOf(reply.headers);
  err.write(reportText(`${method} ${url}: ${reply.status}${named}`, report) + hint);
}

/** A failure of the mesh, or of a host that is none of its services. A TypeError is said of options: that is the command line's fault. */
function fail(
  error: unknown,
  report: Report | undefined,
  { method, url, isJson }: CurlRequest,
  { out, err }: Output,
  meant: string | null = null,
): number {
  const failure = factsOf(error, meant);
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

/** Of a host that no service claims, so that it was looked for elsewhere: the one of a service that was probably meant. */
function meantHost(url: string, mesh: JoinedMesh): string | null {
  const { host } = new URL(url);
  if (mesh.explain({ url }).virtualHost !== null) return null;
  return nearest(
    host,
    mesh.inspect().virtualHosts.flatMap(({ authorities }) => authorities),
  );
}

function factsOf(error: unknown, meant: string | null): Failure {
  const failure = meshError(error);
  if (failure !== undefined) return { code: failure.code, message: failure.message, status: failure.status };
  if (error instanceof TypeError) throw new UsageError(error.message);
  if (!(error instanceof Error) || error instanceof UsageError) throw error;
  const { code } = error as { readonly code?: unknown };
  const elsewhere = meant === null ? "" : `; no service claims this host; did you mean ${JSON.stringify(meant)}?`;
  return { code: typeof code === "string" ? code : error.name, message: `${error.message}${elsewhere}`, status: null };
}
