// A canary whose weights are edited in the file while requests are made: `node examples/canary-by-file/main.ts`
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { joinMesh } from "heddle";

// A copy is edited, so that the example can be run again.
const folder = await mkdtemp(join(tmpdir(), "heddle-canary-"));
const config = join(folder, "mesh.yaml");
await copyFile(new URL("mesh.yaml", import.meta.url), config);
{
  await using serving = await joinMesh({ service: "greeter", config });
  await serving.listen((_request, response) => response.end("v1"), { port: 19096, host: "127.0.0.1" });
  await serving.listen((_request, response) => response.end("v2"), { port: 19097, host: "127.0.0.1" });

  let inForce = Promise.withResolvers<void>();
  await using mesh = await joinMesh({ config, onChange: () => inForce.resolve() });
  const greeter = mesh.service("greeter");

  for (const weight of [10, 50, 100]) {
    if (weight !== 10) {
      inForce = Promise.withResolvers();
      const document = await readFile(config, "utf8");
      const to = `to: [{ subset: v1, weight: ${100 - weight} }, { subset: v2, weight: ${weight} }]`;
      await writeFile(config, document.replace(/to: .*/, to));
      await inForce.promise;
    }
    const answers = await Promise.all(Array.from({ length: 400 }, () => greeter.get("/").text()));
    console.log(`weight ${weight}: v2 answered ${answers.filter((answer) => answer === "v2").length} of ${answers.length}`);
  }
}
await rm(folder, { recursive: true });
