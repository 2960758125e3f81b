import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What one process saw that took its identity from a folder. */
export interface Seen {
  readonly id: string;
  /** DER of the leaf, in base64. */
  readonly leaf: string;
  readonly bundle: string;
  readonly roots: readonly string[];
}

/** All wait for one moment, so that they start at once however long Node takes for each. */
const SCRIPT = `
  import { systemClock, systemRandom } from "@heddle/core";
  import { devIdentity } from "@heddle/spiffe";
  const [dir, service, at] = process.argv.slice(1);
  while (Date.now() < Number(at));
  const close = devIdentity({ dir }).watch(
    {
      update({ certificate, bundles }) {
        const [bundle] = bundles.byTrustDomain.values();
        const roots = bundle.roots.map((root) => Buffer.from(root.der).toString("base64"));
        console.log(JSON.stringify({ id: certificate.id.text, leaf: Buffer.from(certificate.chain[0]).toString("base64"), bundle: bundle.version, roots }));
      },
      problem({ severity, message }) {
        if (severity === "error") console.error(message);
      },
    },
    { clock: systemClock, random: systemRandom, service },
  );
  close();
`;

export async function startTogether(dir: string, services: readonly string[], atMs: number): Promise<readonly Seen[]> {
  return Promise.all(
    services.map(async (service) => {
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        ["--input-type=module", "--eval", SCRIPT, "--", dir, service, String(atMs)],
        { cwd: root, env: { ...process.env, NODE_ENV: "test" } },
      );
      if (stderr !== "") throw new Error(stderr);
      return JSON.parse(stdout) as Seen;
    }),
  );
}
