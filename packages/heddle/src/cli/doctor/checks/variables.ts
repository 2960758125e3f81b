import { nearest } from "@heddle/core";
import type { Check, Facts, Finding } from "../finding.ts";

const KNOWN = ["HEDDLE_SERVICE", "HEDDLE_CONFIG", "HEDDLE_IDENTITY", "HEDDLE_ACCESS_LOG", "HEDDLE_BYPASS"];
const SWITCHES = ["HEDDLE_ACCESS_LOG", "HEDDLE_BYPASS"];

export const variables: Check = {
  about: "HEDDLE_* variables",
  find(facts) {
    const set = Object.entries(facts.env).filter(([name, value]) => name.startsWith("HEDDLE_") && value !== undefined && value !== "");
    return set.flatMap(([name, value = ""]) => {
      if (!KNOWN.includes(name)) return [unknown(name)];
      if (SWITCHES.includes(name) && value !== "1" && value !== "0") return [noSwitch(name, value)];
      if (name === "HEDDLE_BYPASS" && value === "1") return [BYPASSED];
      return name === "HEDDLE_SERVICE" ? undefinedService(value, facts) : [];
    });
  },
};

function unknown(name: string): Finding {
  const meant = nearest(name, KNOWN);
  return {
    severity: "warning",
    what: `${name} means nothing${meant === null ? "" : `; is ${meant} meant?`}`,
    why: "nothing reads it, so what it should set is not set",
    whatToDo: `the variables are ${KNOWN.join(", ")}`,
  };
}

function noSwitch(name: string, value: string): Finding {
  return {
    severity: "warning",
    what: `${name}=${value} switches nothing on`,
    why: "only 1 does",
    whatToDo: `say ${name}=1, or remove it`,
  };
}

const BYPASSED: Finding = {
  severity: "warning",
  what: "HEDDLE_BYPASS=1: the mesh is bypassed",
  why: "no timeout, retry, breaker, balancing or route is in force; every request goes to its service's first endpoint",
  whatToDo: "remove it when the emergency is over",
};

function undefinedService(service: string, { configuration: { snapshots } }: Facts): readonly Finding[] {
  const defined = snapshots.flatMap(({ inboundPolicies }) => [...inboundPolicies.keys()]);
  const isKnown = snapshots.length === 0 || snapshots.some(({ enumeratesServices }) => !enumeratesServices) || defined.includes(service);
  if (isKnown) return [];
  const meant = nearest(service, defined);
  return [
    {
      severity: "error",
      what: `HEDDLE_SERVICE=${service} is not defined by the configuration${meant === null ? "" : `; is ${meant} meant?`}`,
      why: "joinMesh rejects with not_ready",
      whatToDo: `correct the name, or add \`${service}: {}\` to services`,
    },
  ];
}
