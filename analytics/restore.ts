import { resolve } from 'node:path';
import type pg from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { ArchiveError, type Manifest, readManifest, readTable } from './archive.ts';
import { parents } from './sealedIndexes.ts';
import { inTransaction, withSession } from './session.ts';

/** What became of an archive. */
export interface Restored {
  readonly path: string;
  /** UTC day of the rows. */
  readonly day: string;
  /** duplicate: its rows are in the database. */
  readonly status: 'restored' | 'duplicate';
  readonly flows: number;
  readonly rrs: number;
}

/**
 * Loads an archived day back, all or nothing and once: its rows are as they were, flow_id included, in hot partitions.
 * @throws ArchiveError when it is damaged, or its exporters are others than this database's of the same ids
 */
export function restoreArchive(pool: pg.Pool, directory: string): Promise<Restored> {
  return withSession(pool, undefined, async client => {
    const manifest = await readManifest(directory);
    const { archiveId, day, tables } = manifest;
    // in a transaction of its own: it keeps others from making partitions until it ends
    await client.query('select public.ensure_partitions(array[$1::date])', [day]);
    return inTransaction(client, async () => {
      const path = resolve(directory);
      await client.query(
        `insert into public.archive (archive_id, day, path, status) values ($1, $2, $3, 'dropped')
         on conflict (archive_id) do nothing`,
        [archiveId, day, path],
      );
      const { rowCount } = await client.query(
        `update public.archive set status = 'restored', restored_at = now(), path = $2
         where archive_id = $1 and status = 'dropped'`,
        [archiveId, path],
      );
      if (rowCount !== 1) return { path: directory, day, status: 'duplicate', flows: 0, rrs: 0 } as const;
      await restoreExporters(client, manifest);
      for (const parent of parents) {
        const { columns } = tables[parent];
        const sql = `copy public.${parent} (${columns.join(', ')}) from stdin (format binary)`;
        const copy = client.query(copyFrom(sql));
        await readTable(directory, tables[parent], copy);
        if (copy.rowCount !== tables[parent].rows)
          throw new ArchiveError(
            `${directory} gave ${copy.rowCount} rows of ${parent}, not ${tables[parent].rows}`,
          );
      }
      await client.query(
        `insert into public.landed_hour (hour) select $1::timestamp at time zone 'UTC' + make_interval(hours => h) from generate_series(0, 23) as h`,
        [day],
      );
      await client.query(
        `update public.fact_hour set is_complete = true
         where hour >= $1::timestamp at time zone 'UTC' and hour < ($1::date + 1)::timestamp at time zone 'UTC'`,
        [day],
      );
      return {
        path: directory,
        day,
        status: 'restored',
        flows: tables.flow.rows,
        rrs: tables.dns_rr.rows,
      } as const;
    });
  });
}

/** The rows name their exporters by id: those ids must mean the same here. */
async function restoreExporters(client: pg.PoolClient, { exporters }: Manifest): Promise<void> {
  for (const { exporter_id, name, observation_domain_id, address } of exporters) {
    await client.query(
      `insert into public.exporter (exporter_id, name, observation_domain_id, address) overriding system value
       values ($1, $2, $3, $4) on conflict do nothing`,
      [exporter_id, name, observation_domain_id, address],
    );
    const { rowCount } = await client.query(
      'select from public.exporter where exporter_id = $1 and name = $2 and observation_domain_id = $3',
      [exporter_id, name, observation_domain_id],
    );
    if (rowCount !== 1)
      throw new ArchiveError(
        `exporter ${exporter_id} is "${name}" in the archive and another one in this database: restore into an empty database`,
      );
  }
  await client.query(
    `select setval(pg_get_serial_sequence('public.exporter', 'exporter_id'), max(exporter_id)) from public.exporter`,
  );
}
