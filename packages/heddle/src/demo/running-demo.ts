import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Authority, authorityFolder, createAuthorityFolder, DEV_DIR, DEV_ROOT_LIFETIME_MS } from "@heddle/spiffe";
import { MeshDocument, TRUST_DOMAIN } from "./document.ts";
import { Fleet } from "./fleet.ts";
import { addressOf, INSTANCE_COUNT, type Instance, instancesOn } from "./instances.ts";
import { Load } from "./load.ts";
import { freePorts } from "./ports.ts";
import type { Frameworks } from "./scripts.ts";
import type { Waiting } from "./wait.ts";

/** The processes, their document and the load on them. Disposing of it leaves nothing behind. */
export interface RunningDemo extends AsyncDisposable {
  readonly instances: readonly Instance[];
  readonly document: MeshDocument;
  readonly fleet: Fleet;
  readonly load: Load;
  readonly url: string;
}

/** Starts the services on loopback, and the load when all of them serve. Rejects, with nothing left behind, if one of them does not. */
export async function startDemo(frameworks: Frameworks, waiting: Waiting): Promise<RunningDemo> {
  const instances = instancesOn(await freePorts(INSTANCE_COUNT));
  const folder = mkdtempSync(join(tmpdir(), "heddle-demo-"));
  const document = new MeshDocument(folder, instances, frameworks.grpc);
  const fleet = new Fleet(document.path, frameworks, waiting);
  let load: Load | null = null;
  const stop = async () => {
    await load?.close();
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    initAuthority(folder, waiting.clock.wallTime());
    document.write(document.text({ v1: 90, v2: 10 }));
    await Promise.all(instances.map((instance) => fleet.start(instance)));
    const url = webUrl(instances);
    load = new Load(url, waiting.clock);
    return { instances, document, fleet, load, url, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** As `heddle ca init` does. Every process issues itself a certificate of it. */
function initAuthority(folder: string, nowMs: number): void {
  const authority = Authority.create({ trustDomain: TRUST_DOMAIN, nowMs, lifetimeMs: DEV_ROOT_LIFETIME_MS });
  const created = createAuthorityFolder(authorityFolder(join(folder, DEV_DIR)), authority);
  if (!created.ok) throw new Error(created.reason);
}

function webUrl(instances: readonly Instance[]): string {
  const web = instances.find(({ service }) => service === "web");
  if (!web) throw new Error("the demo has no web");
  return `http://${addressOf(web)}/products/7`;
}
