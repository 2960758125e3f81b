import { globSync, rmSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

interface Bundle {
  readonly folder: string;
  /** Files of `src` that are modules of their own in `dist`, by name. What they import of the package's own goes into them. */
  readonly modules: readonly string[];
}

/**
 * Packages of many files that are published as one module: whoever imports them pays for each module that Node loads, about half a
 * millisecond and 40 kB, as much for a file of ten lines as for one of three hundred. Their declarations are written by tsc.
 */
const BUNDLES: readonly Bundle[] = [
  { folder: "packages/core", modules: ["index"] },
  // What undici replaces when it is loaded must be read before: a module of its own, which index.js imports first.
  { folder: "packages/http", modules: ["index", "former-global"] },
];

const root = fileURLToPath(new URL("..", import.meta.url));

async function write({ folder, modules }: Bundle): Promise<void> {
  const dist = join(root, folder, "dist");
  const bundle = await rolldown({
    cwd: root,
    input: Object.fromEntries(modules.map((name) => [name, join(root, folder, "src", `${name}.ts`)])),
    external: (id) => !id.startsWith(".") && !isAbsolute(id),
    platform: "node",
    transform: { target: "es2024" },
    // What package.json says of side effects is about the files in dist.
    treeshake: { moduleSideEffects: true },
    onLog(_level, { message }) {
      throw new Error(`Bundling ${folder}: ${message}`);
    },
  });
  // The sources, which are published too, need not be in the maps; names that two files share stay in stack traces.
  const { output } = await bundle.write({ dir: dist, format: "esm", sourcemap: true, sourcemapExcludeSources: true, keepNames: true });
  await bundle.close();

  const written = output.map(({ fileName }) => fileName);
  const expected = modules.flatMap((name) => [`${name}.js`, `${name}.js.map`]);
  const unexpected = written.filter((name) => !expected.includes(name));
  if (unexpected.length > 0)
    throw new Error(`Bundling ${folder}: ${modules.join(" and ")} share code, which became ${unexpected.join(", ")}`);
  for (const stale of globSync("**/*.js{,.map}", { cwd: dist })) if (!expected.includes(stale)) rmSync(join(dist, stale));
}

await Promise.all(BUNDLES.map(write));
