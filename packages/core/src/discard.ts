import type { Deadlines } from "./deadlines.ts";
import type { MeshResponse } from "./message.ts";

const MAX_BYTES = 64 * 1024;
const MAX_MS = 1_000;

/**
 * Gets rid of a response that nobody will read: its connection stays usable if the rest is short (64 KiB) and comes soon (1 s),
 * and is cut otherwise.
 */
export function discard(response: MeshResponse, deadlines: Deadlines): void {
  const { body } = response;
  if (body.hasEnded || body.isRead) {
    body.abandon(DISCARDED);
    return;
  }
  const limit = deadlines.add(MAX_MS, () => body.abandon(DISCARDED));
  let bytes = 0;
  body.whenEnd(() => deadlines.remove(limit));
  body.attach({
    data(chunk) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) body.abandon(DISCARDED);
    },
    end() {},
    fail() {},
  });
}

const DISCARDED: Error = new Error("the response was discarded");
