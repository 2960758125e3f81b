// Who calls, and may they: mutual TLS, tokens and authorization between two services: `node examples/mtls-and-authorization/main.ts`
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { identity, type JoinedMesh, joinMesh } from "heddle";
import { newIssuer } from "./issuer.ts";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));

// The keys of the issuer and the development authority are made for this run, in a working directory of its own.
const folder = await mkdtemp(join(tmpdir(), "heddle-mtls-"));
process.chdir(folder);
const dev = identity.dev({ trustDomain: "shop.test" });
const issuer = newIssuer("https://accounts.shop.test", "reviews");
await writeFile("jwks.json", issuer.keySet);
{
  await using reviews = await joinMesh({ service: "reviews", config, identity: dev });
  await reviews.listen(
    (request, response) => response.end(`${request.mesh.peer?.spiffeId} for ${request.mesh.jwt?.claims.sub ?? "nobody"}`),
    {
      port: 19098,
      host: "127.0.0.1",
    },
  );

  await using web = await joinMesh({ service: "web", config, identity: dev });
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  await tell("web reads", web, "GET", "/reviews/7");
  await tell("web writes for alice, an editor", web, "PUT", "/reviews/7", bearer(issuer.token("alice", ["readers", "editors"])));
  await tell("web writes for bob, a reader", web, "PUT", "/reviews/7", bearer(issuer.token("bob", ["readers"])));
  await tell("web writes for nobody", web, "PUT", "/reviews/7");
  const forged = newIssuer("https://accounts.shop.test", "reviews").token("mallory", ["editors"]);
  await tell("web writes with a token that another key signed", web, "PUT", "/reviews/7", bearer(forged));
  await tell("web looks for a way around", web, "GET", "/reviews/%2e%2e//admin/users");

  await using reports = await joinMesh({ service: "reports", config, identity: dev });
  await tell("reports reads", reports, "GET", "/reviews/7");
  const plain = await fetch("http://127.0.0.1:19098/reviews/7");
  console.log(`somebody without a certificate reads: ${plain.status} ${plain.headers.get("x-heddle-error")}`);

  const { allowed, denied, rules } = reviews.inspect().inbound.authorization;
  console.log(`reviews: ${allowed} allowed, ${denied} denied; ${rules.map(({ rule, matched }) => `${rule} ${matched}`).join(", ")}`);
}
await rm(folder, { recursive: true });

async function tell(what: string, mesh: JoinedMesh, method: string, path: string, headers: Record<string, string> = {}): Promise<void> {
  const reply = await mesh.request(`http://reviews${path}`, { method, headers });
  console.log(`${what}: ${reply.status} ${await reply.text()}`);
}
