import { trace } from "@opentelemetry/api";
import type { Clock } from "../clock.ts";
import type { Layer } from "../layer.ts";
import type { MeshRequest, MeshResponse } from "../message.ts";
import { checkKeys } from "../option-keys.ts";
import { ACCESS_LOG_FIELDS, type AccessLogField, type LineSettings, lineOf } from "./access-log-line.ts";
import { type Direction, outcomeOf } from "./exchange.ts";
import { type LineLogger, stdoutLogger } from "./stdout-logger.ts";

export type { AccessLogField } from "./access-log-line.ts";

/** One line a request, on each side, when its body has ended. docs/access-log.md explains the fields. */
export interface AccessLogOptions {
  /** Where lines go. Default: a pino logger on stdout. Anything with pino's `info(object)`; it adds the time itself. */
  readonly logger?: { info(line: object): void };
  /** Which fields a line may have. Default: all. A field that has nothing to say is left out of a line. */
  readonly fields?: readonly AccessLogField[];
  /** Whether `path` has the query. Default false: it often holds what must not be kept. */
  readonly includeQuery?: boolean;
  /** Names of request headers to write, any case. Default none. Credentials and cookies are written as `[redacted]`. */
  readonly requestHeaders?: readonly string[];
  /** Names of response headers to write, any case. Default none. Cookies are written as `[redacted]`. */
  readonly responseHeaders?: readonly string[];
}

export interface AccessLogDeps {
  readonly clock: Clock;
  /** Told once each: a logger that throws, lines that were dropped because stdout does not keep up. */
  readonly warn: (message: string) => void;
}

export interface AccessLog {
  /** Writes the line of each request when it is over. Outermost, so that refused and failed requests have one too. */
  layer(direction: Direction): Layer;
  /** Resolves when every line has been handed to the operating system. Of a logger that was given, nothing is awaited. */
  close(): Promise<void>;
}

/** Null where no log is wanted. Throws TypeError for an option or a field that does not exist. */
export function accessLog(options: AccessLogOptions | boolean, deps: AccessLogDeps): AccessLog | null {
  if (options === false) return null;
  const given = options === true ? {} : options;
  const settings = lineSettings(given);
  const logger: LineLogger = given.logger
    ? { info: (line) => given.logger?.info(line), close: () => Promise.resolve() }
    : stdoutLogger(deps);
  const write = guardedWriter(logger, settings, deps);
  return { layer: (direction) => logged(direction, deps.clock, write), close: () => logger.close() };
}

const OPTIONS: readonly (keyof AccessLogOptions)[] = ["logger", "fields", "includeQuery", "requestHeaders", "responseHeaders"];

function lineSettings(options: AccessLogOptions): LineSettings {
  checkKeys(options, OPTIONS, "accessLog");
  for (const field of options.fields ?? []) {
    if (!ACCESS_LOG_FIELDS.includes(field)) {
      throw new TypeError(`accessLog.fields: "${field}" is not a field; there are: ${ACCESS_LOG_FIELDS.join(", ")}`);
    }
  }
  return {
    fields: ACCESS_LOG_FIELDS.filter((field) => options.fields?.includes(field) ?? true),
    includeQuery: options.includeQuery ?? false,
    requestHeaders: (options.requestHeaders ?? []).map((name) => name.toLowerCase()),
    responseHeaders: (options.responseHeaders ?? []).map((name) => name.toLowerCase()),
  };
}

/** What a layer knows of an exchange that is over. */
type Write = (
  direction: Direction,
  request: MeshRequest,
  response: MeshResponse | null,
  failure: unknown,
  times: { readonly endedAt: number; readonly headAt: number; readonly activeTraceId: string },
) => void;

function logged(direction: Direction, clock: Clock, write: Write): Layer {
  return (next) => (request) => {
    const activeTraceId = trace.getActiveSpan()?.spanContext().traceId ?? "";
    return next(request).then(
      (response) => {
        const headAt = clock.now();
        response.body.whenEnd((failure) => write(direction, request, response, failure, { endedAt: clock.now(), headAt, activeTraceId }));
        return response;
      },
      (failure: unknown) => {
        write(direction, request, null, failure, { endedAt: clock.now(), headAt: Number.NaN, activeTraceId });
        throw failure;
      },
    );
  };
}

/** Nothing that a logger does may reach the request. */
function guardedWriter(logger: LineLogger, settings: LineSettings, deps: AccessLogDeps): Write {
  let warned = false;
  return (direction, request, response, failure, times) => {
    try {
      const outcome = outcomeOf(direction, request, response, failure);
      logger.info(lineOf({ direction, request, response, failure, outcome, ...times }, settings));
    } catch (error) {
      if (!warned) deps.warn(`access log: the logger threw; the line is lost, requests go on: ${String(error)}`);
      warned = true;
    }
  };
}
