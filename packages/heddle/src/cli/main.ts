#!/usr/bin/env node
// Only what every Node can load: undici 8 does not load on old ones, and would say so in a way that helps nobody.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`heddle needs Node 22.19 or newer; this is ${process.versions.node}\n`);
  process.exitCode = 2;
} else {
  const { run } = await import("./run.ts");
  process.exitCode = await run(process.argv.slice(2), { out: process.stdout, err: process.stderr });
}
