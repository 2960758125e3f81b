import { existsSync, readFileSync } from "node:fs";
import { registerHooks, stripTypeScriptTypes } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SABOTAGES } from "./sabotages.ts";

/**
 * Loaded before a comparison (`node --import`): the packages are read as sources, not as built, and one of {@link SABOTAGES} is put in, the
 * one that HEDDLE_SABOTAGE names; without it none. Nothing of this is in what is published.
 */
const PACKAGES = new URL("../../../packages/", import.meta.url);
const wanted = process.env.HEDDLE_SABOTAGE ?? "";
const sabotage = SABOTAGES.find(({ name }) => name === wanted);
if (wanted !== "" && sabotage === undefined) throw new RangeError(`there is no sabotage ${JSON.stringify(wanted)}`);
const place = sabotage === undefined ? null : new URL(`core/src/${sabotage.file}`, PACKAGES).href;

registerHooks({
  resolve(specifier, context, next) {
    const [, name, below] = /^@heddle\/([^/]+)(?:\/(.+))?$/.exec(specifier) ?? [];
    if (name === undefined) return next(specifier, context);
    const source = new URL(`${name}/src/${below === undefined ? "" : `${below}/`}index.ts`, PACKAGES);
    if (!existsSync(source)) throw new Error(`${specifier} has no source ${fileURLToPath(source)}`);
    return { url: pathToFileURL(fileURLToPath(source)).href, format: "module-typescript", shortCircuit: true };
  },
  load(url, context, next) {
    if (sabotage === undefined || url !== place) return next(url, context);
    const text = readFileSync(new URL(url), "utf8");
    if (text.split(sabotage.right).length !== 2) throw new Error(`${sabotage.name}: ${sabotage.file} must hold once ${sabotage.right}`);
    const wrong = text.replace(sabotage.right, () => sabotage.wrong);
    return { format: "module", source: stripTypeScriptTypes(wrong), shortCircuit: true };
  },
});
