import type { Duplex } from "node:stream";

/**
 * Looks at the first byte that comes and leaves it, with all that came along, to whoever reads next: what takes over has to do so within
 * the call. `null` where the connection ended before. Not called where it breaks or is destroyed.
 */
export function peekFirstByte(raw: Duplex, seen: (byte: number | null) => void): void {
  const stop = () => {
    raw.off("readable", look);
    raw.off("end", ended);
  };
  const look = () => {
    const chunk: unknown = raw.read();
    // At the end of the stream it is "readable", too, and "end" follows.
    if (!(chunk instanceof Uint8Array)) return;
    stop();
    raw.unshift(chunk);
    seen(chunk[0] ?? null);
  };
  const ended = () => {
    stop();
    seen(null);
  };
  raw.on("readable", look);
  raw.on("end", ended);
}
