import { getSaf, urlOf, useAsked } from './api.ts';
import { count } from './format.ts';
import { Answer, NameLink, Nothing, Time, Value } from './parts.tsx';
import { type Column, quoted, Table } from './table.tsx';

/** One observation of passive DNS, as DNSDB's API has it. Times in seconds since 1970. */
export interface Observed {
  readonly rrname: string;
  readonly rrtype: string;
  readonly rdata: string | readonly string[];
  readonly count: number;
  readonly time_first?: number;
  readonly time_last?: number;
  readonly zone_time_first?: number;
  readonly zone_time_last?: number;
}

const MOST = 2000;

export const firstOf = ({ time_first, zone_time_first }: Observed): number =>
  1000 * (time_first ?? zone_time_first ?? 0);
export const lastOf = ({ time_last, zone_time_last }: Observed): number =>
  1000 * (time_last ?? zone_time_last ?? 0);
export const valuesOf = ({ rdata }: Observed): readonly string[] =>
  typeof rdata === 'string' ? [rdata] : rdata;

/** The address of a lookup, `rrset/name/www.example.com`. */
export const lookupUrl = (question: string): string =>
  urlOf(`dnsdb/v2/lookup/${question}`, { limit: MOST, swclient: 'dashboard' });

export const useObserved = (question: string) => {
  const url = lookupUrl(question);
  return useAsked(url, signal => getSaf<Observed>(url, signal));
};

const name: Column<Observed> = {
  title: 'Name',
  show: ({ rrname }) => <NameLink name={rrname} />,
  by: ({ rrname }) => rrname,
  isCut: true,
  isHalf: true,
};
const rest: readonly Column<Observed>[] = [
  { title: 'Type', show: ({ rrtype }) => rrtype, by: ({ rrtype }) => rrtype },
  {
    title: 'Values',
    isHalf: true,
    show: row => (
      <span class="values">
        {valuesOf(row).map(text => (
          <Value key={text} text={text} />
        ))}
      </span>
    ),
    by: row => valuesOf(row).join(' '),
  },
  { title: 'Count', show: ({ count: n }) => count(n), by: ({ count: n }) => n, isNumber: true },
  {
    title: 'First',
    show: row => <Time at={new Date(firstOf(row))} />,
    by: firstOf,
    isNumber: true,
    isWide: true,
  },
  { title: 'Last', show: row => <Time at={new Date(lastOf(row))} />, by: lastOf, isNumber: true },
];

/** Observations of one name, or of several. */
export function Observations(props: {
  label: string;
  question: string;
  sql: string;
  hasNames: boolean;
  nothing: string;
}) {
  const { label, question, sql, hasNames, nothing } = props;
  const asked = useObserved(question);
  return (
    <Answer to={asked} lines={6}>
      {rows =>
        rows.length === 0 ? (
          <Nothing title={nothing} />
        ) : (
          <Table
            label={label}
            rows={rows.toSorted((a, b) => lastOf(b) - lastOf(a))}
            columns={hasNames ? [name, ...rest] : rest}
            source={{ url: lookupUrl(question), accept: 'application/x-ndjson', sql }}
            first={25}
          />
        )
      }
    </Answer>
  );
}

/** SQL for the sets of values of a name, or of all below one. */
export const rrsetSql = (
  condition: string,
): string => `select rrname, rrtype_name(rrtype) as rrtype, rdata, count, time_first, time_last
from rrset
where ${condition}
order by time_last desc;`;

/** Names as the tables have them. */
export const literalOf = (text: string): string => quoted(text.endsWith('.') ? text : `${text}.`);
