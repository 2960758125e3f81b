import { readFileSync } from "node:fs";

/** Linux counts in these, whatever its own clock: USER_HZ. */
const TICKS_PER_SECOND = 100;

/** CPU time of a running process, user and system, all of its threads; in steps of a hundredth of a second. Linux only. */
export function processCpuMicros(pid: number): number {
  return cpuMicrosOf(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

/** Reads utime and stime, fields 14 and 15 of proc(5). The second field, the command in parentheses, may hold anything. */
export function cpuMicrosOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) throw new Error(`not the format of proc(5): ${stat}`);
  return (ticks / TICKS_PER_SECOND) * 1_000_000;
}
