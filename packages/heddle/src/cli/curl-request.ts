import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { UsageError } from "./command.ts";
import { parseHeaderLines } from "./header-lines.ts";

/** What one command line asks for. */
export interface CurlRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Uint8Array | null;
  readonly config: string | undefined;
  /** As HEDDLE_IDENTITY. */
  readonly identity: string | undefined;
  /** As HEDDLE_SERVICE. */
  readonly service: string | undefined;
  readonly timeout: string | undefined;
  readonly showsHead: boolean;
  readonly isJson: boolean;
}

/** Throws UsageError, or what parseArgs throws. */
export function parseCurl(args: readonly string[]): CurlRequest {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      request: { type: "string", short: "X" },
      header: { type: "string", short: "H", multiple: true },
      data: { type: "string", short: "d" },
      include: { type: "boolean", short: "i" },
      timeout: { type: "string", short: "m" },
      config: { type: "string" },
      identity: { type: "string" },
      service: { type: "string" },
      json: { type: "boolean" },
    },
  });
  const rest = [...positionals];
  const url = rest.pop();
  const method = rest.pop() ?? values.request ?? (values.data === undefined ? "GET" : "POST");
  if (url === undefined || rest.length > 0) throw new UsageError("give a URL, and optionally a method before it");
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError(`${JSON.stringify(url)} is not an http:// or https:// URL`);
  const headers = parseHeaderLines(values.header ?? []);
  if (values.data !== undefined) headers["content-type"] ??= "application/json";
  return {
    url,
    method,
    headers,
    body: values.data === undefined ? null : readData(values.data),
    config: values.config,
    identity: values.identity,
    service: values.service,
    timeout: values.timeout,
    showsHead: values.include === true,
    isJson: values.json === true,
  };
}

const STDIN = 0;

/** As curl: what follows an @ is the name of a file, - for stdin. */
function readData(data: string): string | Uint8Array {
  if (!data.startsWith("@")) return data;
  const name = data.slice(1);
  try {
    return readFileSync(name === "-" ? STDIN : name);
  } catch (error) {
    throw new UsageError(`-d ${data}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
