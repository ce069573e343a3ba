import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A Node process that another process has started. */
interface NodeChild {
  readonly pid: number;
  /** With its arguments. */
  readonly command: string;
  readonly residentBytes: number;
  readonly cpuSeconds: number;
}

/** Linux counts the times of /proc in hundredths of a second on every common machine. */
const TICKS_PER_SECOND = 100;

/** The Node processes that a process has started and that run: of ours those that load, not PostgreSQL. */
export function nodeChildren(parent = process.pid): NodeChild[] {
  const children = read(`/proc/${parent}/task/${parent}/children`);
  return children === undefined ? listed(parent) : children.split(' ').flatMap(lookedUp);
}

/** Memory of this process and of the Node processes it has started. */
export function residentMB(): number {
  const children = nodeChildren().reduce((sum, { residentBytes }) => sum + residentBytes, 0);
  return Math.round((process.memoryUsage.rss() + children) / 2 ** 20);
}

/** One that has ended has no memory. */
function lookedUp(pid: string): NodeChild[] {
  const [, kilobytes] = /^VmRSS:\s*(\d+) kB/m.exec(read(`/proc/${pid}/status`) ?? '') ?? [];
  const command = (read(`/proc/${pid}/cmdline`) ?? '').replaceAll('\0', ' ').trim();
  if (kilobytes === undefined || !isNode(command)) return [];
  const [user = 0, system = 0] = fieldsOfStat(pid).slice(11).map(Number);
  return [
    {
      pid: Number(pid),
      command,
      residentBytes: Number(kilobytes) * 1024,
      cpuSeconds: (user + system) / TICKS_PER_SECOND,
    },
  ];
}

/** Where there is no /proc, or it does not tell children. */
function listed(parent: number): NodeChild[] {
  const columns = ['-A', '-o', 'pid=,ppid=,rss=,time=,args='];
  return execFileSync('ps', columns, { encoding: 'utf8' })
    .split('\n')
    .flatMap(line => {
      const [pid, itsParent, kilobytes, time = '', ...words] = line.trim().split(/\s+/);
      const command = words.join(' ');
      if (Number(itsParent) !== parent || !isNode(command)) return [];
      const cpuSeconds = time.split(/[-:]/).reduce((sum, part) => sum * 60 + Number(part), 0); // not days
      return [{ pid: Number(pid), command, residentBytes: Number(kilobytes) * 1024, cpuSeconds }];
    });
}

function isNode(command: string): boolean {
  return command.startsWith(process.execPath);
}

/** Fields of /proc/PID/stat from the third, the state; none when the process has ended. */
export function fieldsOfStat(pid: string): string[] {
  const line = read(`/proc/${pid}/stat`);
  // the second is a name in parentheses, with any character
  return line?.slice(line.lastIndexOf(')') + 2).split(' ') ?? [];
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}
