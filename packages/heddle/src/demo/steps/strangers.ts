import { askInPlainText, joinAs, statusThrough } from "../caller.ts";
import { idOf } from "../document.ts";
import { addressOf } from "../instances.ts";
import type { LogLine } from "../log-tail.ts";
import type { Step } from "../step.ts";
import { unlessCancelled, until } from "../wait.ts";

const PATH = "/reviews/7";

export const strangers: Step = {
  title: "strangers: reviews is for web, and for reading",
  async run({ load, fleet, document, show, ...waiting }) {
    const { cancel } = waiting;
    const window = load.open();
    await using stranger = await unlessCancelled(joinAs("stranger", document), cancel);
    await using web = await unlessCancelled(joinAs("web", document), cancel);
    show(() => "reviews is asked by those that it does not know");
    const named = await unlessCancelled(statusThrough(stranger, "GET", `http://reviews${PATH}`), cancel);
    const writing = await unlessCancelled(statusThrough(web, "POST", `http://reviews${PATH}`), cancel);
    const reading = await unlessCancelled(statusThrough(web, "GET", `http://reviews${PATH}`), cancel);
    const plain = await unlessCancelled(askInPlainText(`http://${addressOf(fleet.process("reviews-v1-1").instance)}${PATH}`), cancel);
    let line: LogLine | null = null;
    const isLogged = () => {
      line = fleet.lastLogged(idOf("stranger"));
      return line !== null;
    };
    await until("the access log of reviews had the stranger's request", 5_000, waiting, isLogged);
    window.close();
    const decision = decisionOf(line);
    const isRefused = named === 403 && writing === 403 && plain === "403 mtls_required" && decision === "permission_denied, not_allowed";
    return {
      held: isRefused && reading === 200 && window.failures === 0,
      seen:
        `with a certificate of another name: ${named}, logged as ${idOf("stranger")}: ${decision}; with web's own: GET ${reading}, POST ${writing}; ` +
        `in plain text: ${plain}; ${window.failures} of ${window.requests} requests of users failed`,
    };
  },
};

function decisionOf(line: LogLine | null): string {
  return `${line?.outcome}, ${line?.authorization}`;
}
