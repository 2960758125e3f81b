import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Installation, install, readPackage, root } from "./installation.ts";

const UMBRELLA = [
  "packages/heddle",
  "packages/core",
  "packages/http",
  "packages/express-adapter",
  "packages/fastify-adapter",
  "packages/spiffe",
];
const EXPORTS = "console.log(JSON.stringify(Object.keys(heddle).filter((key) => key !== 'module.exports').sort()));";

let project: Installation;

beforeAll(() => {
  project = install(UMBRELLA, ["@types/node"]);
});

afterAll(() => project[Symbol.dispose]());

function names(output: string): readonly string[] {
  return JSON.parse(output) as string[];
}

test("an ES module imports heddle", () => {
  project.write("app.mjs", `import * as heddle from "heddle"; ${EXPORTS}`);
  expect(names(project.node("app.mjs"))).toContain("joinMesh");
});

test("a CommonJS module requires heddle and gets the same, without a warning", () => {
  project.write("app.cjs", `const heddle = require("heddle"); ${EXPORTS}`);
  project.write("app.mjs", `import * as heddle from "heddle"; ${EXPORTS}`);
  expect(names(project.node("--throw-deprecation", "--trace-warnings", "app.cjs"))).toEqual(names(project.node("app.mjs")));
});

test("the parts are importable without the umbrella", () => {
  project.write(
    "parts.mjs",
    'import { createMesh } from "@heddle/core"; import { httpTransport } from "@heddle/http"; import { meshMiddleware } from "@heddle/express-adapter";' +
      "console.log(typeof createMesh, typeof httpTransport, typeof meshMiddleware);",
  );
  expect(project.node("parts.mjs").trim()).toBe("function function function");
});

test("source maps point at files that are shipped", () => {
  const modules = join(project.folder, "node_modules");
  const maps = globSync("{heddle,@heddle/*}/dist/**/*.map", { cwd: modules });
  expect(maps.length).toBeGreaterThan(0);
  const broken = maps.filter((map) => {
    const { sources } = JSON.parse(readFileSync(join(modules, map), "utf8")) as { readonly sources: readonly string[] };
    return !sources.every((source) => existsSync(join(modules, dirname(map), source)));
  });
  expect(broken).toEqual([]);
});

const SHIPPED =
  /^(?:package\.json|LICENSE|README\.md|schema\/[\w.-]+\.schema\.json|src\/(?:[\w-]+\/)*[\w.-]+\.(?:ts|html|yaml)|dist\/(?:[\w-]+\/)*[\w.-]+\.(?:js|d\.ts|js\.map|d\.ts\.map))$/;

test.each(UMBRELLA)("%s ships its licence, sources, what is built of them and nothing else", (path) => {
  const folder = join(project.folder, "node_modules", readPackage(path).name);
  const shipped = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  expect(shipped).toEqual(expect.arrayContaining(["package.json", "LICENSE", "dist/index.js", "src/index.ts"]));
  expect(shipped.filter((file) => !SHIPPED.test(file) || /\.test\.|tsbuildinfo|coverage/.test(file))).toEqual([]);
  // What is left of a source that is gone would be shipped for ever.
  const stale = shipped.filter((file) => /^dist\/.*\.js$/.test(file) && !shipped.includes(file.replace(/^dist(.*)\.js$/, "src$1.ts")));
  expect(stale, "remove dist and build again").toEqual([]);
});

test("core and http are shipped as one module each, and what must be loaded before undici, with nothing of former builds", () => {
  const scripts = globSync("@heddle/{core,http}/dist/**/*.{js,mjs,cjs}", { cwd: join(project.folder, "node_modules") });
  expect(scripts.toSorted()).toEqual(["@heddle/core/dist/index.js", "@heddle/http/dist/former-global.js", "@heddle/http/dist/index.js"]);
});

test("what installing brings ships the command line", () => {
  expect(project.node("node_modules/heddle/dist/cli/main.js", "--help")).toContain("validate");
});

// skipLibCheck is off: declarations of ours that need a package which is not installed (such as @types/express) fail here.
test("the public types compile with only heddle, @types/node and TypeScript installed", () => {
  const imported = ["heddle", "@heddle/core", "@heddle/http", "@heddle/express-adapter", "@heddle/fastify-adapter"];
  project.write(
    "types.mts",
    `${imported.map((name, index) => `import * as part${index} from "${name}";`).join("\n")}
import { joinMesh } from "heddle";
type Joined = Awaited<ReturnType<typeof joinMesh>>;
export const parts: readonly object[] = [${imported.map((_name, index) => `part${index}`).join(", ")}];
export const join = (): Promise<Joined> => joinMesh({ config: "mesh.yaml" });
// @ts-expect-error: types of ours that could not be found would be any, and anything would be accepted.
export const misuse: Promise<Joined> = joinMesh({ service: 5 });
`,
  );
  project.write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        skipLibCheck: false,
        target: "es2024",
        lib: ["es2024", "esnext.disposable"],
        module: "nodenext",
        moduleResolution: "nodenext",
        types: ["node"],
      },
      files: ["types.mts"],
    }),
  );
  project.node(join(root, "node_modules/typescript/bin/tsc"), "-p", ".");
});
