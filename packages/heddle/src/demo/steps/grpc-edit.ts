import { joinAs } from "../caller.ts";
import type { Contents } from "../document.ts";
import { ratingsCalls, since } from "../ratings-calls.ts";
import type { Step } from "../step.ts";
import { unlessCancelled, until } from "../wait.ts";

const SPLIT: Contents = { v1: 50, v2: 50 };
const CALLS = 100;

export const grpcEdit: Step = {
  title: "gRPC: edits fail one method, and mend it; a stream goes on",
  async run({ load, fleet, document, show, ...waiting }) {
    // Here, since it is not everywhere that gRPC is installed.
    const { statusOfNewWatch, Watch } = await import("../grpc/watch.ts");
    const window = load.open();
    const before = await ratingsCalls(fleet);
    await using reviews = await unlessCancelled(joinAs("reviews", document), waiting.cancel);
    using stream = new Watch(reviews);
    await unlessCancelled(stream.ask(), waiting.cancel);
    const untilNewOnesEnd = (status: string) =>
      until(`new streams ended with ${status}`, 8_000, waiting, async () => {
        await stream.ask();
        return (await statusOfNewWatch(reviews)) === status;
      });
    show(() => "new streams are made to fail");
    document.write(document.text({ ...SPLIT, watchFails: "data-loss" }));
    const failingMs = await untilNewOnesEnd("DATA_LOSS");
    let seen = since(before, await ratingsCalls(fleet));
    const atEdit = seen.calls;
    show(() => `new streams fail: ${seen.calls - atEdit} calls of the other method since, ${seen.failed} failed`);
    await until(`there were ${CALLS} calls of the other method`, 10_000, waiting, async () => {
      await stream.ask();
      seen = since(before, await ratingsCalls(fleet));
      return seen.calls - atEdit >= CALLS;
    });
    document.write(document.text(SPLIT));
    const mendedMs = await untilNewOnesEnd("OK");
    seen = since(before, await ratingsCalls(fleet));
    window.close();
    return {
      held: seen.failed === 0 && stream.answered === stream.asked && stream.processes === 1 && window.failures === 0,
      seen:
        `new streams: DATA_LOSS ${Math.round(failingMs)} ms after an edit, OK ${Math.round(mendedMs)} ms after the next; the one opened before: ` +
        `${stream.answered} of ${stream.asked} answered, by ${stream.processes} process; the other method: ${seen.failed} of ${seen.calls} calls failed`,
    };
  },
};
