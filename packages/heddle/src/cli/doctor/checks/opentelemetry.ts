import type { Check, Finding } from "../finding.ts";
import type { InstalledPackage } from "../installed.ts";
import { compareVersions, isInRange, parseVersion } from "../versions.ts";

const API = "@opentelemetry/api";

export const openTelemetry: Check = {
  about: "versions of OpenTelemetry that do not fit",
  find({ packages }) {
    const misfits = packages.flatMap(misfit);
    return misfits.length > 0 ? misfits : silences(packages);
  },
};

/** What says itself that it does not work with the API it loads. */
function misfit({ name, version, peers, api }: InstalledPackage): readonly Finding[] {
  const range = peers[API];
  if (range === undefined || api === null || isInRange(api, range)) return [];
  return [
    {
      severity: "error",
      what: `${name} ${version} needs ${API} ${range}, and loads ${api}`,
      why: "where the versions do not fit, tracing is off without a word: no span is made, and no context is passed on",
      whatToDo: `install a version of ${API} that is in ${range}, or a ${name} that takes ${api}`,
    },
  ];
}

/** The SDK registers itself with its API; a newer API elsewhere does not take it from there. */
function silences(packages: readonly InstalledPackage[]): readonly Finding[] {
  const sdk = packages.find(({ name, api }) => name.startsWith("@opentelemetry/sdk-trace") && api !== null);
  const core = packages.find(({ name, api }) => name === "@heddle/core" && api !== null);
  if (!sdk?.api || !core?.api) return [];
  const [ofSdk, ofCore] = [parseVersion(sdk.api), parseVersion(core.api)];
  if (ofSdk.major === ofCore.major && compareVersions({ ...ofCore, patch: 0 }, { ...ofSdk, patch: 0 }) <= 0) return [];
  return [
    {
      severity: "error",
      what: `heddle loads ${API} ${core.api}, and ${sdk.name} ${sdk.version} loads ${sdk.api}`,
      why: "what an SDK registers with one version is not seen by a newer minor version: heddle makes no spans, without a word",
      whatToDo: `bring both to one version of ${API} (\`npm ls ${API}\`, then \`npm dedupe\`)`,
    },
  ];
}
