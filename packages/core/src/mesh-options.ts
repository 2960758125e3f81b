import type { OwnCalls } from "./authorization/jwks-fetch.ts";
import type { Clock } from "./clock.ts";
import type { SourceEntry } from "./control/document-source.ts";
import type { Resolve } from "./control/resolve.ts";
import type { ControlSource } from "./control/source.ts";
import type { Duration } from "./duration.ts";
import type { ExtensionOptions } from "./extension-options.ts";
import type { CertificateSource } from "./identity/certificate-source.ts";
import type { Problem } from "./model/problem.ts";
import type { Random } from "./random.ts";
import type { AccessLogOptions } from "./telemetry/access-log.ts";
import type { Transport } from "./transport.ts";

export interface MeshOptions extends ExtensionOptions {
  /** Who this process is: selects its inbound policy and labels its telemetry. Absent: client only, serving throws. */
  readonly service?: string | undefined;
  /**
   * The path of a YAML or JSON document, of a folder (`conf.d/`) or a pattern (`mesh/*.yaml`) of them, a document as an object, or a
   * control source; or an array of them, of which the later one wins per part. `{ source, optional: true }` in it holds nothing back.
   */
  readonly config: string | object | ControlSource | readonly (string | object | ControlSource | SourceEntry)[];
  readonly transport: Transport;
  /** Who this process proves to be. Absent: it proves nothing, and speaks plain text or one-sided TLS. */
  readonly identity?: CertificateSource | undefined;
  /** For the mesh's own requests (remote keys), which must not go through the mesh. Absent: a configuration that needs them is refused. Closed with the mesh. */
  readonly ownCalls?: OwnCalls | undefined;
  /** How long `ready()` waits for every source to have spoken. Default 10 s. */
  readonly startTimeout?: Duration | undefined;
  /** Default: each problem is written to stderr once. `inspect().problems` keeps the last 100. */
  readonly onProblem?: ((problem: Problem) => void) | undefined;
  /** Called after a changed configuration took effect. */
  readonly onChange?: ((change: { readonly revision: number }) => void) | undefined;
  /** One line a request, on each side. Default: off. */
  readonly accessLog?: AccessLogOptions | boolean | undefined;
  /** No policy on the way out: every request goes to its service's first endpoint. Default: false. */
  readonly bypass?: boolean | undefined;
  /** Default: the system's. */
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** What `dns` endpoints are looked up with. Default: the system's name servers and hosts file. */
  readonly resolve?: Resolve | undefined;
}
