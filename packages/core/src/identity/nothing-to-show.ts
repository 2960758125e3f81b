import type { ClientTls } from "../client-tls.ts";
import { MeshError } from "../errors.ts";

/** Of a process that has no identity, towards a service that asks for one: no connection is ever opened. */
export const NOTHING_TO_SHOW: ClientTls = {
  key: "nothing to show",
  mode: "mutual",
  connectOptions() {
    throw new MeshError(
      "no_identity",
      "the service takes mutual TLS alone, and this process has no identity to show: give joinMesh an `identity`",
    );
  },
  refusal: () => new MeshError("no_identity", "this process has no identity to show"),
  provenUntilMs: () => Number.NEGATIVE_INFINITY,
  watch: () => () => null,
};
