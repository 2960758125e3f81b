import type { Check } from "../finding.ts";

export const document: Check = {
  about: "mistakes in the configuration",
  find({ configuration: { missing, problems } }) {
    if (missing !== null) {
      return [
        {
          severity: "error",
          what: missing,
          why: "joinMesh rejects where it finds none",
          whatToDo: "name it with --config FILE, or write a mesh.yaml",
        },
      ];
    }
    return problems.map(({ severity, where, message }) => ({
      severity,
      what: `${where}: ${message}`,
      why:
        severity === "error"
          ? "a process that starts with it does not become ready; one that runs keeps the last good configuration"
          : "it is in force, and may not be what is meant",
      whatToDo: "mend it there; docs/configuration.md lists every key",
    }));
  },
};
