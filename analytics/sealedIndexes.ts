/** Parents with daily partitions, in the order that everything locks them. */
export const parents = ['flow', 'flow_packet', 'dns_rr'] as const;
export type Parent = (typeof parents)[number];

/** An index of a sealed partition. */
export interface SealedIndex {
  /** Its name is that of the partition, an underscore and this. */
  readonly suffix: string;
  /** What follows the table in `create index`. */
  readonly definition: string;
  /** The same where the extension btree_gin is missing. */
  readonly withoutGin?: string;
}

/**
 * A GIN holds a value once and packs where its rows are; a btree takes at least six octets for each. Late rows wait in a
 * list that every lookup reads: 256 kB make a lookup 0.2 ms longer, 1 MB 1 ms and more.
 */
const gin = (column: string): SealedIndex => ({
  suffix: `${column}_idx`,
  definition: `using gin (${column}) with (gin_pending_list_limit = 256)`,
  withoutGin: `(${column})`,
});

/**
 * Of 32 pages, which hold the rows of several files at once, the times of each: up to four intervals instead of one from
 * the earliest to the latest. New partitions get the same ones (public.ensure_partitions).
 */
const times = (column: string): string => `${column} timestamptz_minmax_multi_ops (values_per_range = 8)`;

const flowIndexes: readonly SealedIndex[] = [
  { suffix: 'flow_id_idx', definition: '(flow_id)' },
  gin('src'),
  { suffix: 'dst_idx', definition: '(dst)' },
  { suffix: 'time_idx', definition: `using brin (${times('start_time')}) with (pages_per_range = 32)` },
];

/**
 * Indexes by parent. Rows stay in the order of their arrival: sorting them by name costs twice as much as all indexes together and scatters the
 * times. Ranges of addresses (CIDR) need the btree; names below a domain are found among the distinct names, which are few.
 */
export const sealedIndexes: Readonly<Record<Parent, readonly SealedIndex[]>> = {
  flow: flowIndexes,
  flow_packet: flowIndexes,
  dns_rr: [
    gin('rrname'),
    gin('client'),
    { suffix: 'rdata_ip_idx', definition: '(rdata_ip) where rdata_ip is not null' },
    { suffix: 'time_idx', definition: `using brin (${times('time')}, flow_id) with (pages_per_range = 32)` },
  ],
};
