// What the kernel says about a process.
import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** CPU seconds that a process has used. */
export function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** How much of one core a process uses while `work` goes on: { share, value }. */
export async function cpuShare(pid, work) {
  const cpu = cpuSeconds(pid);
  const from = performance.now();
  const value = await work();
  return { share: (cpuSeconds(pid) - cpu) / ((performance.now() - from) / 1000), value };
}

/** Resident memory in MiB. */
export function residentMiB(pid) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}
