/** The suites that `--only` names, or all of them. Throws TypeError for a name that there is none of. */
export function namedSuites<Suite extends string>(only: string | undefined, all: readonly Suite[]): readonly Suite[] {
  if (only === undefined) return all;
  return only.split(",").map((name) => {
    const suite = all.find((known) => known === name.trim());
    if (!suite) throw new TypeError(`--only: there is no suite ${JSON.stringify(name)}, only ${all.join(", ")}`);
    return suite;
  });
}
