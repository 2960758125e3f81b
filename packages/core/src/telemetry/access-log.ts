export interface AccessLogOptions {
  /** Where lines go. Default: a pino logger on stdout. Anything with pino's `info(object)`. */
  readonly logger?: { info(line: object): void };
}
