import type { Check, Finding } from "../finding.ts";
import type { InstalledPackage } from "../installed.ts";

export const copies: Check = {
  about: "two copies of heddle or undici",
  find({ packages }) {
    const ours = packages.filter(({ name }) => name === "heddle" || name.startsWith("@heddle/"));
    const names = [...new Set(ours.map(({ name }) => name))];
    return [
      ...names.flatMap((name) => twice(name, packages, OURS)),
      ...twice("undici", packages, UNDICI),
      ...(names.some((name) => ours.filter((one) => one.name === name).length > 1) ? [] : mixed(ours)),
    ];
  },
};

type Advice = Pick<Finding, "severity" | "why" | "whatToDo">;

const OURS: Advice = {
  severity: "error",
  why: "each copy has a mesh and a context of its own: what one gives to a request (deadline, trace, req.mesh) the other does not see",
  whatToDo: "see who brings which with `npm ls`, bring the ranges together, then `npm dedupe`",
};

const UNDICI: Advice = {
  severity: "warning",
  why: "an Agent, MockAgent or error of one copy is a stranger to the other; with `dispatcher: mesh.dispatcher` both work, `instanceof` does not",
  whatToDo: "use the version that heddle brings (`npm ls undici`), or keep the objects of each to its own functions",
};

function twice(name: string, packages: readonly InstalledPackage[], advice: Advice): readonly Finding[] {
  const all = packages.filter((one) => one.name === name);
  if (all.length < 2) return [];
  const places = all.map(({ version, path }) => `${version} in ${path}`).join(", ");
  return [{ ...advice, what: `there are ${all.length} copies of ${name}: ${places}` }];
}

function mixed(ours: readonly InstalledPackage[]): readonly Finding[] {
  if (new Set(ours.map(({ version }) => version)).size < 2) return [];
  return [
    {
      severity: "error",
      what: `the packages of heddle are of different versions: ${ours.map(({ name, version }) => `${name} ${version}`).join(", ")}`,
      why: "they are released together and know each other's insides",
      whatToDo: "give all of them the same version in package.json",
    },
  ];
}
