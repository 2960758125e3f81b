import type { Attempt } from "@heddle/core";
import { BudgetBook } from "./budget.ts";
import { budgetOf } from "./configuration.ts";
import type { StackRecord } from "./journal.ts";
import type { World } from "./world.ts";

const SAFE: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];
const MOST_TRANSPARENT = 3;

/** The tries of one request at one backend: a fallback's own follow those of the route. */
interface Row {
  readonly record: StackRecord;
  readonly backend: string;
  readonly tries: readonly Attempt[];
}

/** What was sent again: never what is not safe, never more often than was asked for, never beyond the budget. */
export function repetitions(world: World): readonly string[] {
  const records = [...world.journal.stack.values()];
  const rows = records.flatMap(rowsOf);
  return [
    ...records.flatMap((record) => unsafe(world, record)),
    ...rows.flatMap((row) => tooMany(world, row)),
    ...beyondBudget(world, rows),
  ];
}

function rowsOf(record: StackRecord): readonly Row[] {
  const rows: { record: StackRecord; backend: string; tries: Attempt[] }[] = [];
  for (const attempt of record.context.attempts) {
    const row = rows.at(-1);
    if (row?.backend === attempt.backend) row.tries.push(attempt);
    else rows.push({ record, backend: attempt.backend, tries: [attempt] });
  }
  return rows;
}

/** Whether somebody said that this may be repeated, or HTTP does. */
function mayRepeat({ method, context, settings }: StackRecord): boolean {
  if (SAFE.includes(method) || context.options.idempotent === true) return true;
  return context.service === "reviews" && settings.retry !== null && settings.retry !== "off" && settings.retry.consents;
}

/** Counted twice: by what the endpoints received, and by what may have been written of it. */
function unsafe({ test, coverage }: World, record: StackRecord): readonly string[] {
  const { id, method, context } = record;
  const written = context.attempts.filter(({ wasSent, outcome }) => wasSent && outcome !== "refused-stream").length;
  const repeats = Math.max(0, context.attempts.length - 1);
  if (method === "POST" && mayRepeat(record) && written > 1) coverage["POSTs repeated with consent"]++;
  if (mayRepeat(record)) return [];
  if (method === "POST" && repeats === 0 && written === 1) coverage["POSTs not repeated"]++;
  const refused = context.attempts.filter(({ outcome }) => outcome === "refused-stream").length;
  const received = [...new Set(context.attempts.map(({ endpoint }) => endpoint))]
    .filter((address) => address !== "")
    .flatMap((address) => test.transport.endpoint(address).requests.filter(({ headers }) => headers["x-id"] === id)).length;
  const violations: string[] = [];
  if (written > 1) violations.push(`${id} (${method}) was written ${written} times`);
  if (received - refused > 1) violations.push(`${id} (${method}) was received ${received} times, ${refused} of them refused unprocessed`);
  return violations;
}

function tooMany({ coverage }: World, { record, backend, tries }: Row): readonly string[] {
  const { id, settings, context } = record;
  const counted = tries.length - 1 - transparentOf(record, tries).size;
  const allowed =
    backend === "spare" ? 0 : backend === "details" ? 2 : typeof settings.retry === "object" ? (settings.retry?.maxRetries ?? 0) : 0;
  const isOff = context.options.retry === false || (backend.startsWith("reviews") && settings.retry === "off");
  coverage.retries += counted;
  coverage["transparent retries"] += tries.length - 1 - counted;
  if (tries.at(-1)?.why === "the retry budget is spent") coverage["budgets spent"]++;
  if (isOff && tries.length > 1) return [`${id}: ${tries.length} tries at ${backend}, and retries are off`];
  return counted > allowed ? [`${id}: ${counted} retries at ${backend}, maxRetries is ${allowed}`] : [];
}

/** The tries after which docs/retry.md allows a transparent one. */
function transparentOf(record: StackRecord, tries: readonly Attempt[]): ReadonlySet<Attempt> {
  const transparent = new Set<Attempt>();
  const endpoints = new Set<string>();
  for (const attempt of tries.slice(0, -1)) {
    const { outcome, wasSent, reusedConnection, endpoint } = attempt;
    const neverProcessed = outcome === "refused-stream" || (outcome === "connect-failure" && !wasSent);
    const wentStale = outcome === "reset" && reusedConnection && mayRepeat(record);
    if (!(neverProcessed || wentStale) || transparent.size >= MOST_TRANSPARENT || endpoints.has(endpoint)) continue;
    transparent.add(attempt);
    endpoints.add(endpoint);
  }
  return transparent;
}

interface Entry {
  readonly at: number;
  enter(book: BudgetBook): void;
}

function beyondBudget(world: World, rows: readonly Row[]): readonly string[] {
  const book = new BudgetBook();
  const entries = rows.flatMap((row) => entriesOf(world, row)).sort((one, other) => one.at - other.at);
  for (const entry of entries) entry.enter(book);
  return book.takeViolations();
}

/** At one moment deposits come first: what the mesh may have known of, it may have counted. */
function entriesOf({ journal, configuration }: World, { record, backend, tries }: Row): readonly Entry[] {
  const [first] = tries;
  if (!first || backend === "details" || backend === "spare") return [];
  const key = `${backend} of life ${record.life}`;
  const { startedAt } = first;
  const percents = configuration.at(startedAt).map((settings) => budgetOf(settings).percent);
  const percent = journal.tries.get(first)?.percent ?? Math.max(...percents);
  const transparent = transparentOf(record, tries);
  const withdrawals = tries.slice(0, -1).flatMap((attempt) => {
    const tried = journal.tries.get(attempt);
    if (transparent.has(attempt) || !tried || tried.endedAt === null) return [];
    const { endedAt, reserve } = tried;
    return [{ at: endedAt, enter: (book: BudgetBook) => book.withdraw(key, endedAt, reserve, record.id) }];
  });
  // Of one moment the order is not known: a deposit counts from the beginning of it.
  return [{ at: startedAt - 1e-6, enter: (book: BudgetBook) => book.deposit(key, startedAt, percent) }, ...withdrawals];
}
