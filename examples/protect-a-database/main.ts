// A database under the policies of the document, while it fails and when it has recovered: `node examples/protect-a-database/main.ts`
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { joinMesh, meshError } from "heddle";

await using mesh = await joinMesh({ config: fileURLToPath(new URL("mesh.yaml", import.meta.url)) });

// In earnest this is `pool.query(sql)` of pg, or whatever client there is.
let isDown = true;
let queries = 0;
async function query(id: number): Promise<string> {
  queries++;
  if (isDown) throw new Error("connection refused");
  return `row ${id}`;
}

async function read(id: number): Promise<string> {
  try {
    return await mesh.protect("db", () => query(id));
  } catch (error) {
    return meshError(error)?.code ?? `${error}`;
  }
}

for (let id = 1; id <= 5; id++) console.log(await read(id));
console.log(`${queries} of 5 reached the database`);

// What can do without the database says so, call by call.
console.log(await mesh.protect("db", () => query(6), { fallback: () => "row 6 of the cache" }));

isDown = false;
await wait(250);
console.log(await read(7));
console.log(`the breaker is ${mesh.inspect().resources[0]?.breaker}`);
