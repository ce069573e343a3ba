import { getSaf, urlOf, useAsked } from './api.ts';
import { count, shownName } from './format.ts';
import { Answer, NameLink, Nothing, Panel } from './parts.tsx';
import { literalOf, Observations, rrsetSql } from './passive.tsx';
import { hrefOf } from './route.ts';
import { type Column, Table } from './table.tsx';

interface Found {
  readonly rrname: string;
  readonly rrtype: string;
}

interface Grouped {
  readonly rrname: string;
  readonly types: string;
}

const MOST = 2000;
const columns: readonly Column<Grouped>[] = [
  {
    title: 'Name',
    show: ({ rrname }) => <NameLink name={rrname} />,
    by: ({ rrname }) => rrname,
    isCut: true,
  },
  { title: 'Types', show: ({ types }) => types, by: ({ types }) => types, isNumber: true },
];

/** Names that fit a pattern: `*.example.com` everything below a domain, `*bank*` a search. */
export function NamesPage({ pattern }: { pattern: string }) {
  const [, below] = /^\*\.([^*?[\]]+)$/.exec(pattern) ?? [];
  return (
    <>
      <div class="head">
        <div>
          <p class="over">{below === undefined ? 'Names that fit' : 'Names below a domain'}</p>
          <h1>{pattern}</h1>
        </div>
        {below !== undefined && (
          <a class="button" href={hrefOf(['name', below])}>
            {below} itself
          </a>
        )}
      </div>
      {below === undefined ? <Fitting pattern={pattern} /> : <Below domain={below} />}
    </>
  );
}

function Below({ domain }: { domain: string }) {
  return (
    <Panel title="Answers" isFlush>
      <Observations
        label={`answers below ${domain}`}
        question={`rrset/name/${encodeURIComponent(`*.${domain}`)}`}
        sql={rrsetSql(`is_below(rrname, ${literalOf(domain)})`)}
        hasNames
        nothing="No answer below it was seen."
      />
    </Panel>
  );
}

function Fitting({ pattern }: { pattern: string }) {
  const glob = pattern.endsWith('*') || pattern.endsWith('.') ? pattern : `${pattern}.`;
  const url = urlOf(`dnsdb/v2/glob/rrnames/${encodeURIComponent(glob)}`, {
    limit: MOST,
    swclient: 'dashboard',
  });
  const asked = useAsked(url, async signal => grouped(await getSaf<Found>(url, signal)));
  const like = glob
    .replace(/[%_\\]/g, '\\$&')
    .replaceAll('*', '%')
    .replaceAll('?', '_');
  return (
    <Panel title="Names" isFlush>
      <Answer to={asked} lines={8}>
        {rows =>
          rows.length === 0 ? (
            <Nothing title="No name fits.">
              <code>*</code> stands for anything: <code>*.example.com</code>, <code>*bank*</code>,{' '}
              <code>mail*.example.com</code>.
            </Nothing>
          ) : (
            <Table
              label={`names ${shownName(pattern)}`}
              rows={rows}
              columns={columns}
              source={{
                url,
                accept: 'application/x-ndjson',
                sql: `select distinct rrname, rrtype_name(rrtype) as rrtype
from rrset
where rrname like '${like.replaceAll("'", "''")}'
order by rrname
limit ${MOST};`,
              }}
            />
          )
        }
      </Answer>
      {(asked.data?.length ?? 0) >= MOST && <p class="note">The first {count(MOST)} are shown.</p>}
    </Panel>
  );
}

function grouped(found: readonly Found[]): Grouped[] {
  const types = new Map<string, Set<string>>();
  for (const { rrname, rrtype } of found) {
    const known = types.get(rrname);
    if (known === undefined) types.set(rrname, new Set([rrtype]));
    else known.add(rrtype);
  }
  return [...types].map(([rrname, each]) => ({ rrname, types: [...each].join(', ') }));
}
