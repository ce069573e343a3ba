import { existsSync, statfsSync } from 'node:fs';
import os from 'node:os';

/** What varies in the settings of a cluster. */
export interface ServerOptions {
  readonly socketDirectory: string;
  /** Also listen on 127.0.0.1 at this port. */
  readonly port?: number | undefined;
  /** False: do not wait for the disk; a crash of the machine loses the cluster. For tests. */
  readonly durable: boolean;
}

/** The port in the name of the Unix-domain socket. */
export const SOCKET_PORT = 5432;

const MB = 2 ** 20;
const GB = 2 ** 30;

/**
 * Settings for loading time series in bulk on a small machine, with durable commits. Memory and write-ahead log are
 * measured by this machine's memory and the free space of the disk at `directory`.
 */
export function serverSettings(directory: string, { socketDirectory, port, durable }: ServerOptions): string {
  const memory = availableMemory();
  const freeDisk = freeSpace(directory);
  const settings: Record<string, string | number> = {
    listen_addresses: port === undefined ? '' : '127.0.0.1',
    port: port ?? SOCKET_PORT,
    unix_socket_directories: `"${socketDirectory.replaceAll('"', '""')}"`,
    unix_socket_permissions: '0700',
    max_connections: 100,
    password_encryption: 'scram-sha-256',
    fsync: onOff(durable),
    synchronous_commit: 'on',
    full_page_writes: onOff(durable),
    shared_buffers: megabytes(memory / 4, 32 * MB, GB),
    effective_cache_size: megabytes((memory * 5) / 8, 64 * MB, Infinity),
    maintenance_work_mem: megabytes(memory / 16, 32 * MB, 512 * MB),
    autovacuum_work_mem: megabytes(memory / 32, 16 * MB, 128 * MB),
    work_mem: megabytes(memory / 128, 4 * MB, 64 * MB),
    dynamic_shared_memory_type: existsSync('/dev/shm') && freeSpace('/dev/shm') < 512 * MB ? 'mmap' : 'posix', // containers often have 64 MB
    wal_compression: 'off', // pglz takes 0.2 ms for a page; our servers have no other
    max_wal_size: megabytes(freeDisk / 8, 256 * MB, 4 * GB),
    min_wal_size: megabytes(freeDisk / 32, 80 * MB, GB),
    checkpoint_timeout: '15min',
    checkpoint_completion_target: '0.9',
    random_page_cost: '1.1',
    effective_io_concurrency: 32,
    jit: 'off',
    enable_partitionwise_join: 'on', // flows and records have the same daily partitions
    max_locks_per_transaction: 256, // a query over years of daily partitions locks each of them
    timezone: 'UTC',
    log_timezone: 'UTC',
    datestyle: 'ISO, YMD',
    log_destination: 'stderr',
    logging_collector: 'off',
    log_line_prefix: '%m [%p] ',
    cluster_name: 'dnstrail',
  };
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name} = '${String(value).replaceAll("'", "''")}'`,
  );
  return `# Written by dnstrail at every start. To change a setting use ALTER SYSTEM, which wins over this file.\n${lines.join('\n')}\n`;
}

/** Who may connect: on the socket whoever may enter its directory, on the port who has the password. */
export const HOST_BASED_AUTHENTICATION = `# Written by dnstrail at every start.
local all all trust
host all all 127.0.0.1/32 scram-sha-256
`;

function onOff(on: boolean): string {
  return on ? 'on' : 'off';
}

function megabytes(wanted: number, least: number, most: number): string {
  return `${Math.floor(Math.min(Math.max(wanted, least), most) / MB)}MB`;
}

function availableMemory(): number {
  const limit = process.constrainedMemory(); // of the control group; 0 or huge when there is none
  return limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem();
}

function freeSpace(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return 0;
  }
}
