import type { Check } from "../finding.ts";
import { compareVersions, parseVersion } from "../versions.ts";

const OLDEST = "22.19.0";

export const nodeVersion: Check = {
  about: "the version of Node.js",
  find({ nodeVersion: version }) {
    if (compareVersions(parseVersion(version), parseVersion(OLDEST)) >= 0) return [];
    return [
      {
        severity: "error",
        what: `this is Node.js ${version}`,
        why: `heddle needs ${OLDEST} or newer: undici, which it sends with, does not load on older ones`,
        whatToDo: "install Node.js 24, the version that is supported longest",
      },
    ];
  },
};
