export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** The numbers of `24.21.0` or `1.9.1-rc.1`; what is left out is 0. */
export function parseVersion(text: string): Version {
  const [major = 0, minor = 0, patch = 0] = text.split(/[-+]/, 1)[0]?.split(".").map(Number) ?? [];
  return { major, minor, patch };
}

/** Negative where `a` is older than `b`. */
export function compareVersions(a: Version, b: Version): number {
  return a.major - b.major || a.minor - b.minor || a.patch - b.patch;
}

/** Whether a version is in a range as npm writes them (`^1.9.0`, `>=1.3.0 <1.10.0`, `1.x || 2.x`). A range of another form has everything. */
export function isInRange(version: string, range: string): boolean {
  const parsed = parseVersion(version);
  return range.split("||").some((part) => comparatorsOf(part).every((comparator) => holds(parsed, comparator)));
}

function comparatorsOf(part: string): readonly string[] {
  return part
    .trim()
    .replaceAll(/([<>=~^])\s+/g, "$1")
    .split(/\s+/)
    .filter(Boolean);
}

const COMPARATOR = /^(>=|<=|>|<|=|\^|~)?v?(\d+)(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:[-+].*)?$/;

function holds(version: Version, comparator: string): boolean {
  const [, operator = "", major = "", minor = "x", patch = "x"] = COMPARATOR.exec(comparator) ?? [];
  if (major === "") return true;
  const bound = { major: Number(major), minor: Number(minor) || 0, patch: Number(patch) || 0 };
  const order = compareVersions(version, bound);
  switch (operator) {
    case ">=":
      return order >= 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case "<":
      return order < 0;
    default:
      return order >= 0 && compareVersions(version, nextAfter(bound, operator, minor, patch)) < 0;
  }
}

/** The first version that is too new. */
function nextAfter({ major, minor, patch }: Version, operator: string, minorText: string, patchText: string): Version {
  const isMajorFree = Number.isNaN(Number(minorText)) || (operator === "^" && major > 0);
  if (isMajorFree) return { major: major + 1, minor: 0, patch: 0 };
  const isMinorFree = Number.isNaN(Number(patchText)) || operator === "~" || (operator === "^" && minor > 0);
  return isMinorFree ? { major, minor: minor + 1, patch: 0 } : { major, minor, patch: patch + 1 };
}
