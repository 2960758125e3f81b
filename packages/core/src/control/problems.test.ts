import { expect, test } from "vitest";
import type { Problem } from "../model/problem.ts";
import { Problems } from "./problems.ts";

const problemOf = (message: string, where = "mesh.yaml"): Problem => ({ where, message, severity: "error" });

function recorded() {
  const told: string[] = [];
  return { told, problems: new Problems(({ where, message }) => told.push(`${where}: ${message}`)) };
}

test("the same problem at the same place is told once", () => {
  const { told, problems } = recorded();
  problems.report(problemOf("bad"));
  problems.report(problemOf("bad"));
  problems.report(problemOf("bad", "other.yaml"));
  problems.report(problemOf("worse"));
  expect(told).toEqual(["mesh.yaml: bad", "other.yaml: bad", "mesh.yaml: worse"]);
  expect(problems.all).toHaveLength(3);
});

test("a problem that was forgotten is told again", () => {
  const { told, problems } = recorded();
  const first = problemOf("bad");
  problems.report(first);
  problems.report(problemOf("worse"));
  problems.forget([first]);
  expect(problems.all.map(({ message }) => message)).toEqual(["worse"]);
  problems.report(problemOf("bad"));
  expect(told).toHaveLength(3);
});

test("the last hundred are kept", () => {
  const { told, problems } = recorded();
  for (let number = 1; number <= 150; number++) problems.report(problemOf(String(number)));
  expect(told).toHaveLength(150);
  expect(problems.all.map(({ message }) => message)).toEqual(Array.from({ length: 100 }, (_, index) => String(index + 51)));
});
