import fc from "fast-check";
import { expect } from "vitest";
import { UsageError } from "../../packages/heddle/src/cli/command.ts";
import { parseCurl } from "../../packages/heddle/src/cli/curl-request.ts";
import { parseHeaderLines } from "../../packages/heddle/src/cli/header-lines.ts";
import { run } from "../../packages/heddle/src/cli/run.ts";
import { expectSame, fuzz, fuzzAsync } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText } from "./hostile.ts";

const headerName = fc.oneof(fc.constantFrom("x-a", "X-A", "content-type", ...HOSTILE_NAMES), hostileText(1));
const headerLine = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(headerName, fc.constantFrom(":", ": ", " :", ""), hostileText(1)).map((parts) => parts.join("")) },
  { weight: 1, arbitrary: hostileText(3) },
);

fuzz(
  "a header line is a name and a value, each without the space around it, or a mistake",
  fc.array(headerLine, { maxLength: 4 }),
  (lines) => {
    const parts = lines.map(
      (line) => [line.split(":")[0]?.trim().toLowerCase() ?? "", line.split(":").slice(1).join(":").trim(), line.includes(":")] as const,
    );
    if (parts.some(([name, , hasColon]) => name === "" || !hasColon)) {
      expect(() => parseHeaderLines(lines)).toThrow(UsageError);
      return;
    }
    const expected = new Map<string, string[]>();
    for (const [name, value] of parts) expected.set(name, [...(expected.get(name) ?? []), value]);
    expectSame(new Map(Object.entries(parseHeaderLines(lines)).map(([name, value]) => [name, [value].flat()])), expected);
  },
);

const argument = fc.oneof(
  fc.constantFrom(
    "-H",
    "-d",
    "-X",
    "-m",
    "-i",
    "--json",
    "--config",
    "--",
    "-",
    "--header",
    "--__proto__",
    "--constructor",
    "GET",
    "delete",
    "http://reviews/",
    "HTTP://reviews/a?b",
    "https://u:p@h/",
    "ftp://x",
    "x: y",
    "body",
    "2s",
  ),
  hostileText(2),
);

function isUsage(error: unknown): boolean {
  return error instanceof UsageError || (error instanceof Error && String((error as { code?: unknown }).code).startsWith("ERR_PARSE_ARGS"));
}

fuzz("a curl command is a request for a URL of http, or a usage mistake", fc.array(argument, { maxLength: 6 }), (args) => {
  // What follows an @ is a file of this machine.
  if (args.some((each) => each.includes("@"))) return;
  try {
    const request = parseCurl(args);
    expectSame(/^https?:$/.test(new URL(request.url).protocol), true);
    expectSame(args.includes(request.url) || args.some((each) => each.endsWith(request.url)), true);
    expectSame(Object.getPrototypeOf(request.headers), null);
  } catch (error) {
    if (!isUsage(error)) throw error;
  }
});

fuzz(
  "the parts of a curl command arrive as they were written",
  fc.record({
    method: fc.option(fc.constantFrom("GET", "PUT", "delete"), { nil: undefined }),
    data: fc.option(fc.stringMatching(/^[a-z{}":]{0,6}$/), { nil: undefined }),
    lines: fc.array(fc.tuple(fc.constantFrom("x-a", "X-B", ...HOSTILE_NAMES), fc.stringMatching(/^[a-z]{0,4}$/)), { maxLength: 3 }),
    flags: fc.subarray(["-i", "--json"]),
  }),
  ({ method, data, lines, flags }) => {
    const request = parseCurl(
      [
        ...(method === undefined ? [] : [method]),
        "http://reviews/",
        ...lines.flatMap(([name, value]) => ["-H", `${name}: ${value}`]),
        ...(data === undefined ? [] : [`-d${data}`, ...[]]),
        ...flags,
      ].filter((each) => each !== "-d"),
    );
    const sent = data === undefined || data === "" ? null : data;
    expectSame(
      [request.method, request.body, request.showsHead, request.isJson],
      [method ?? (sent === null ? "GET" : "POST"), sent, flags.includes("-i"), flags.includes("--json")],
    );
    const names = lines.map(([name]) => name.toLowerCase());
    expectSame(new Set(Object.keys(request.headers)), new Set(sent === null ? names : [...names, "content-type"]));
  },
);

fuzzAsync(
  "a command line that is none ends with 2 and its usage",
  fc.tuple(fc.constantFrom("explain", "validate", ...HOSTILE_NAMES, "expalin"), fc.array(argument, { maxLength: 4 })),
  async ([command, args]) => {
    let told = "";
    const output = {
      out: { write: () => true },
      err: {
        write: (text: string) => {
          told += text;
        },
      },
    };
    // No file of this machine has such a name.
    const code = await run([command, "no-such-file.yaml", ...args.filter((each) => !each.includes("/tmp"))], output);
    expectSame([code, told.includes("usage:") || told.includes("there is no command")], [2, true]);
  },
  { share: 0.1 },
);
