import { readdirSync } from 'node:fs';
import { fieldsOfStat } from '../support/nodeChildren.ts';

/** Linux counts the times of /proc in hundredths of a second on every common machine. */
const TICKS_PER_SECOND = 100;

interface Process {
  readonly parent: number;
  /** Its own time and that of its children that ended. */
  readonly ticks: number;
}

/** CPU seconds of processes and all their descendants, since they began (Linux). */
export function treeCpuSeconds(...roots: readonly number[]): number {
  const processes = readProcesses();
  const isInTree = (id: number): boolean => {
    if (roots.includes(id)) return true;
    const parent = processes.get(id)?.parent;
    return parent !== undefined && parent !== 0 && isInTree(parent);
  };
  let ticks = 0;
  for (const [id, process] of processes) if (isInTree(id)) ticks += process.ticks;
  return ticks / TICKS_PER_SECOND;
}

function readProcesses(): Map<number, Process> {
  const processes = new Map<number, Process>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const [, parent, ...fields] = fieldsOfStat(name);
    const [user, system, childrenUser, childrenSystem] = fields.slice(9).map(Number);
    if (childrenSystem !== undefined)
      processes.set(Number(name), {
        parent: Number(parent),
        ticks: user! + system! + childrenUser! + childrenSystem, // they come before the last
      });
  }
  return processes;
}
