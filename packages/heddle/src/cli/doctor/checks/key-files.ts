import { resolve } from "node:path";
import { keyFileProblem } from "@heddle/core";
import type { Check, Finding } from "../finding.ts";

/** Keys of a remote issuer are not asked for: that would be a call in the name of the process. */
export const keyFiles: Check = {
  about: "key files of tokens",
  async find({ configuration: { snapshots }, env }) {
    // Key files of other services are where those run.
    const service = env.HEDDLE_SERVICE ?? "";
    const policies = snapshots.flatMap(({ inboundPolicies }) => [...inboundPolicies.values()]);
    const own = service === "" ? policies : policies.filter((policy) => policy.service === service);
    const rules = own.flatMap((policy) => policy.jwt.map((rule) => ({ rule, service: policy.service })));
    const findings = rules.map(async ({ rule: { name, jwks, origin }, service: joined }): Promise<Finding[]> => {
      if (jwks.kind !== "file") return [];
      const path = resolve(jwks.path);
      const problem = await keyFileProblem(path);
      if (problem === null) return [];
      return [
        {
          severity: service === "" ? "warning" : "error",
          what: `${origin}: jwt ${name}: ${path}: ${problem}`,
          why: `a process that joins as ${joined} here refuses every token of this issuer`,
          whatToDo: "put the issuer's key set (JWKS) there, or correct `jwks.file`, which is read from the working directory",
        },
      ];
    });
    return (await Promise.all(findings)).flat();
  },
};
