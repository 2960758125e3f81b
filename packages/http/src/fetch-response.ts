import type { ServerResponse } from "node:http";

/** Sends what a fetch handler answered, as fast as the caller reads. Resolves when it is sent or the caller has left; rejects with what broke its body. */
export async function sendResponse(answer: Response, target: ServerResponse): Promise<void> {
  for (const [name, value] of answer.headers) target.appendHeader(name, value);
  if (answer.statusText === "") target.writeHead(answer.status);
  else target.writeHead(answer.status, answer.statusText);
  if (answer.body === null || target.req.method === "HEAD") {
    target.end();
    await answer.body?.cancel();
    return;
  }
  const reader = answer.body.getReader();
  const left = new Promise<void>((resolve) => target.once("close", resolve));
  // The body's source should hear of it at once, not when it has its next chunk.
  const stop = () => void reader.cancel(new DOMException("the caller left before the response was complete", "AbortError")).catch(ignore);
  target.once("close", stop);
  flushSoon(target);
  for (let next = await reader.read(); !next.done && !target.destroyed; next = await reader.read()) {
    if (!target.write(next.value)) await Promise.race([drained(target), left]);
  }
  target.off("close", stop);
  target.end();
}

function drained(target: ServerResponse): Promise<void> {
  return new Promise((resolve) => target.once("drain", resolve));
}

/** Head and first chunk leave together where the chunk is there already; the head does not wait for one that is not. */
function flushSoon(target: ServerResponse): void {
  // Runs when all promises that can settle have.
  process.nextTick(() => {
    if (!target.destroyed && !target.writableEnded) target.flushHeaders();
  });
}

function ignore(): void {
  // What a source says to being cancelled concerns nobody: the caller has left.
}
