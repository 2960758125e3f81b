import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

/** What a step asks of a line of the access log. */
export interface LogLine {
  /** When the request was over, in milliseconds since 1970. */
  readonly time: number;
  readonly direction: "inbound" | "outbound";
  readonly method: string;
  readonly path: string;
  /** The status of a whole answer, or the code of what refused or ended it. */
  readonly outcome: string;
  readonly peer_id?: string;
  /** The rule that decided, or why none did. */
  readonly authorization?: string;
}

/** Of so many lines nothing that a step has just caused is pushed out by the load. */
const KEPT_LINES = 2_000;

/** The last lines of an access log, read from where it is written to. */
export class LogTail {
  readonly #lines: string[] = [];

  constructor(stream: Readable) {
    createInterface({ input: stream }).on("line", (line) => {
      this.#lines.push(line);
      if (this.#lines.length > KEPT_LINES) this.#lines.splice(0, KEPT_LINES / 2);
    });
  }

  /** The last line of a request that came in and proved this identity. */
  lastFrom(peerId: string): LogLine | null {
    const found = this.#lines.findLast((line) => line.includes(`"peer_id":${JSON.stringify(peerId)}`));
    return found === undefined ? null : (JSON.parse(found) as LogLine);
  }
}
