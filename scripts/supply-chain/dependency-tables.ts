import { loadingOf } from "./loading.ts";
import { isOurs, type Lock, nameAt } from "./lock-file.ts";
import { type Brought, broughtBy, type Direct, directOf, publishedFolders } from "./run-time.ts";

/** What stands between the markers of docs/dependencies.md. */
export function dependencyTables(root: string, lock: Lock, reasons: Readonly<Record<string, string>>): string {
  const sections = publishedFolders(lock).map((folder) => sectionOf(root, lock, folder, reasons));
  return [...sections, transitiveTable(lock)].join("\n\n");
}

/** A dependency without a reason, and a reason without a dependency. */
export function reasonProblems(lock: Lock, reasons: Readonly<Record<string, string>>): readonly string[] {
  const named = new Set(
    publishedFolders(lock)
      .flatMap((folder) => directOf(lock, folder))
      .filter(({ location }) => !isOurs(location))
      .map(({ name }) => name),
  );
  return [
    ...[...named].filter((name) => !Object.hasOwn(reasons, name)).map((name) => `${name} has no reason in scripts/supply-chain/reasons.ts`),
    ...Object.keys(reasons)
      .filter((name) => !named.has(name))
      .map((name) => `scripts/supply-chain/reasons.ts has a reason for ${name}, which no package names`),
  ];
}

function sectionOf(root: string, lock: Lock, folder: string, reasons: Readonly<Record<string, string>>): string {
  const loading = loadingOf(root, folder);
  const row = ({ name, kind, range, location }: Direct): string => {
    const what = isOurs(location) ? "Ours." : (reasons[name] ?? "");
    return `| \`${name}\` | ${kind} | \`${range}\` | ${lock[location]?.version} | ${isOurs(location) ? "on import" : loading(name)} | ${what} |`;
  };
  const brought = broughtBy(lock, folder);
  const others = brought.filter(({ location }) => !isOurs(location));
  return [
    `## ${nameAt(lock, folder)}`,
    "",
    "| dependency | kind | range | locked | loaded | what for |",
    "|---|---|---|---|---|---|",
    ...directOf(lock, folder).map(row),
    "",
    `Installing it brings ${counted(others.length)} of others (${others.map(exact).join(", ")}) and ${brought.length - others.length} of ours.`,
  ].join("\n");
}

function counted(packages: number): string {
  return packages === 1 ? "1 package" : `${packages} packages`;
}

function exact({ name, version }: Brought): string {
  return `\`${name}@${version}\``;
}

function transitiveTable(lock: Lock): string {
  const byName = new Map<string, { readonly brought: Brought; readonly through: Set<string> }>();
  for (const brought of publishedFolders(lock).flatMap((folder) => broughtBy(lock, folder))) {
    if (isOurs(brought.location)) continue;
    const known = byName.get(brought.location) ?? { brought, through: new Set<string>() };
    for (const name of brought.through) known.through.add(name);
    byName.set(brought.location, known);
  }
  const rows = [...byName.values()]
    .sort((a, b) => (a.brought.name < b.brought.name ? -1 : 1))
    .map(({ brought, through }) => {
      const licence = lock[brought.location]?.license ?? "none named";
      return `| \`${brought.name}\` | ${brought.version} | ${licence} | ${[...through].sort().join(", ")} |`;
    });
  return [
    "## Everything of others that is brought",
    "",
    "| package | locked | licence | asked for by |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}
