import { joinAs } from "../caller.ts";
import type { Step } from "../step.ts";
import { unlessCancelled } from "../wait.ts";

export const grpcStrangers: Step = {
  title: "gRPC: ratings is for reviews, and for two methods",
  async run({ load, document, show, cancel }) {
    // Here, since it is not everywhere that gRPC is installed.
    const { RatingsClient, statusOf } = await import("../grpc/ratings.ts");
    const window = load.open();
    await using stranger = await unlessCancelled(joinAs("stranger", document), cancel);
    await using reviews = await unlessCancelled(joinAs("reviews", document), cancel);
    show(() => "ratings is asked by those that it does not know");
    const unknown = await unlessCancelled(statusOf(stranger.grpc(RatingsClient, "ratings").get("7")), cancel);
    const client = reviews.grpc(RatingsClient, "ratings");
    const known = await unlessCancelled(statusOf(client.get("7")), cancel);
    const forbidden = await unlessCancelled(statusOf(client.forget("7")), cancel);
    window.close();
    return {
      held: unknown === "PERMISSION_DENIED" && forbidden === "PERMISSION_DENIED" && known === "OK" && window.failures === 0,
      seen:
        `with a certificate of another name: ${unknown}; with that of reviews: Get ${known}, Forget ${forbidden}; ` +
        `${window.failures} of ${window.requests} requests of users failed`,
    };
  },
};
