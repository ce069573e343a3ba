import { getItems, urlOf, useAsked } from './api.ts';
import { Chart } from './chart.tsx';
import { brief, count, kindName, shownName } from './format.ts';
import { IngestStrip } from './ingest.tsx';
import { Answer, ClientLink, NameLink, Nothing, Panel, Severity, Time } from './parts.tsx';
import { hrefOf } from './route.ts';
import { Export, quoted, type Source } from './table.tsx';
import { chooseWindow, useWindow, type Window, WindowPicker, windowParameters } from './window.tsx';

interface Traffic {
  readonly time: string;
  readonly queries: number;
  readonly responses: number;
  readonly clients: number;
  readonly rcodes: Readonly<Record<string, number>>;
}

interface Ranked {
  readonly value: string;
  readonly lookups: number;
  readonly nxdomain: number | null;
}

interface Counted {
  readonly kind: string;
  readonly severity: string;
  readonly count: number;
}

interface FirstSeen {
  readonly id: number;
  readonly subject: string;
  readonly client: string | null;
  readonly first_time: string;
}

const SEVERITIES = ['high', 'medium', 'low', 'info'] as const;
const STEP_SECONDS = { minute: 60, hour: 3600, day: 86_400 } as const;
const HOUR_MS = 3_600_000;

/** What a network asked, and what is unusual about it. */
export function OverviewPage({ hasRecords }: { hasRecords: boolean }) {
  const window = useWindow();
  if (!hasRecords) return <NothingYet />;
  return (
    <>
      <div class="head">
        <h1>Overview</h1>
        <WindowPicker />
      </div>
      <IngestStrip />
      <div class="cols level">
        <div class="c8 stack">
          <TrafficPanel window={window} />
        </div>
        <div class="c4 stack">
          <FoundPanel window={window} />
        </div>
      </div>
      <div class="cols pair">
        <div class="c4">
          <NewPanel window={window} />
        </div>
        <TopPanel class="c4" title="Registered domains" dimension="domains" window={window} />
        <TopPanel class="c4" title="Clients" dimension="clients" window={window} />
      </div>
      <div class="cols pair">
        <TopPanel class="c4" title="Top-level domains" dimension="tlds" window={window} />
        <TopPanel class="c4" title="Resolvers" dimension="resolvers" window={window} />
        <TopPanel class="c4" title="Types" dimension="types" window={window} />
      </div>
    </>
  );
}

function NothingYet() {
  return (
    <>
      <div class="head">
        <h1>Overview</h1>
      </div>
      <IngestStrip />
      <section class="panel">
        <Nothing title="No exporter yet.">
          <p>Point a sensor at this collector; paste this line on a machine that sees DNS go by:</p>
          <pre>
            {`yaf --live pcap --in eth0 --ipfix tcp --out ${location.hostname} --ipfix-port 18000 --applabel \\
    --max-payload 4096 --plugin-name dpacketplugin.so --plugin-opts "53 dnssec" \\
    --udp-uniflow 53 --export-payload --max-export 4096`}
          </pre>
          <p>
            Or load files you have: <code>dnstrail load PATH</code>. To see what it looks like with a week of
            made-up traffic: <code>npm run demo</code>.
          </p>
        </Nothing>
      </section>
    </>
  );
}

function TrafficPanel({ window }: { window: Window }) {
  const span = window.until.getTime() - window.since.getTime();
  const step = span <= 12 * HOUR_MS ? 'minute' : span <= 31 * 24 * HOUR_MS ? 'hour' : 'day';
  const url = urlOf('api/v1/traffic', { ...windowParameters(window), step });
  const asked = useAsked(url, async signal =>
    drawnOf(await getItems<Traffic>(url, signal), window, STEP_SECONDS[step]),
  );
  const table = step === 'minute' ? 'minute' : 'hour';
  const source: Source = {
    url,
    sql: `select date_trunc('${step}', ${table}, 'UTC') as time, sum(queries) as queries, sum(responses) as responses
from traffic_${table}
where ${table} >= ${quoted(window.since.toISOString())} and ${table} < ${quoted(window.until.toISOString())}
group by 1 order by 1;`,
  };
  return (
    <Panel
      title="Traffic"
      aside={`drag to zoom; by the ${step}`}
      actions={asked.data && <Export label="traffic" rows={asked.data.rows} source={source} />}
    >
      <div class="holds-traffic">
        <Answer to={asked} lines={14}>
          {({ rows, times, rate, rcodes }) =>
            rows.length === 0 ? (
              <Nothing title="Nothing was asked in this time.">
                <a href={hrefOf(['overview'], { last: 'all', from: null, to: null })}>Show all time</a>
              </Nothing>
            ) : (
              <div class="stack">
                <Chart
                  label={`Queries per second: ${brief(rate[0]!.values.reduce((most, each) => Math.max(most, each), 0))} at most`}
                  times={times}
                  series={rate}
                  height={236}
                  show={value => `${brief(Math.round(value * 100) / 100)}/s`}
                  group="traffic"
                  onBrush={chooseWindow}
                />
                <Chart
                  label={`Responses by code: ${rcodes.map(({ name, values }) => `${name} ${count(values.reduce((a, b) => a + b, 0))}`).join(', ')}`}
                  times={times}
                  series={rcodes}
                  height={176}
                  isStacked
                  show={brief}
                  group="traffic"
                  onBrush={chooseWindow}
                />
              </div>
            )
          }
        </Answer>
      </div>
    </Panel>
  );
}

/** Steps without a message are zero, and the codes that matter have a series each. */
function drawnOf(rows: readonly Traffic[], { since, until }: Window, step: number) {
  const known = new Map(rows.map(row => [Date.parse(row.time) / 1000, row]));
  const times: number[] = [];
  for (let at = Math.floor(since.getTime() / 1000 / step) * step; at < until.getTime() / 1000; at += step)
    times.push(at);
  const values = (of: (row: Traffic) => number) =>
    times.map(time => {
      const row = known.get(time);
      return row === undefined ? 0 : of(row);
    });
  const rate = [{ name: 'Queries', color: '--accent', values: values(({ queries }) => queries / step) }];
  const named = ['SERVFAIL', 'NXDOMAIN', 'NOERROR'];
  const other = (row: Traffic) =>
    Object.entries(row.rcodes).reduce((sum, [name, n]) => (named.includes(name) ? sum : sum + n), 0);
  const rcodes = [
    { name: 'Other', color: '--low', values: values(other) },
    { name: 'SERVFAIL', color: '--high', values: values(({ rcodes }) => rcodes.SERVFAIL ?? 0) },
    { name: 'NXDOMAIN', color: '--medium', values: values(({ rcodes }) => rcodes.NXDOMAIN ?? 0) },
    { name: 'NOERROR', color: '--accent', values: values(({ rcodes }) => rcodes.NOERROR ?? 0) },
  ];
  return { rows, times, rate, rcodes };
}

function FoundPanel({ window }: { window: Window }) {
  const url = urlOf('api/v1/detections/counts', { ...windowParameters(window), status: 'new,acknowledged' });
  const asked = useAsked(url, signal => getItems<Counted>(url, signal));
  return (
    <Panel
      title="Open detections"
      isFlush
      actions={
        <a class="button quiet" href={hrefOf(['detections'])}>
          All
        </a>
      }
    >
      <div class="holds-found">
        <Answer to={asked} lines={12}>
          {rows => {
            if (rows.length === 0)
              return (
                <Nothing title="Nothing open in this time.">
                  Thirteen detectors look at new records every minute.
                </Nothing>
              );
            const of = (kind: string | null, severity: string) =>
              rows.reduce(
                (sum, row) =>
                  (kind === null || row.kind === kind) && row.severity === severity ? sum + row.count : sum,
                0,
              );
            const kinds = [...new Set(rows.map(({ kind }) => kind))].sort((a, b) => {
              for (const severity of SEVERITIES)
                if (of(a, severity) !== of(b, severity)) return of(b, severity) - of(a, severity);
              return 0;
            });
            return (
              <table class="matrix">
                <caption class="hidden">Open detections by kind and severity</caption>
                <thead>
                  <tr>
                    <th scope="col">Kind</th>
                    {SEVERITIES.map(severity => (
                      <th key={severity} scope="col" class="num">
                        <Severity of={severity} />
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {kinds.map(kind => (
                    <tr key={kind}>
                      <th scope="row">
                        <a href={hrefOf(['detections'], { kind })}>{kindName(kind)}</a>
                      </th>
                      {SEVERITIES.map(severity => {
                        const n = of(kind, severity);
                        return (
                          <td key={severity} class="num">
                            {n === 0 ? (
                              <span class="none">·</span>
                            ) : (
                              <a href={hrefOf(['detections'], { kind, severity })}>{count(n)}</a>
                            )}
                          </td>
                        );
                      })}
                    </tr>
                  ))}
                </tbody>
              </table>
            );
          }}
        </Answer>
      </div>
    </Panel>
  );
}

function NewPanel({ window }: { window: Window }) {
  const url = urlOf('api/v1/detections', {
    ...windowParameters(window),
    kind: 'first_seen',
    limit: 10,
    muted: 'no',
  });
  const asked = useAsked(url, signal => getItems<FirstSeen>(url, signal));
  return (
    <Panel
      title="What is new"
      aside="first seen here"
      isFlush
      actions={
        <a class="button quiet" href={hrefOf(['detections'], { kind: 'first_seen' })}>
          All
        </a>
      }
    >
      <div class="holds-ranks">
        <Answer to={asked} lines={9}>
          {rows =>
            rows.length === 0 ? (
              <Nothing title="Nothing new in this time.">
                In its first days a sensor’s records are a baseline: nothing is new yet (
                <code>burn_in_days</code>).
              </Nothing>
            ) : (
              <ol class="ranks">
                {rows.map(({ id, subject, client, first_time }) => (
                  <li key={id}>
                    <span title={subject}>
                      <NameLink name={subject} />
                    </span>
                    <span class="row small nowrap">
                      {client !== null && (
                        <span class="wide">
                          <ClientLink client={client} />
                        </span>
                      )}
                      <a class="muted" href={hrefOf(['detection', String(id)])}>
                        <Time at={first_time} />
                      </a>
                    </span>
                  </li>
                ))}
              </ol>
            )
          }
        </Answer>
      </div>
    </Panel>
  );
}

type Dimension = 'domains' | 'tlds' | 'clients' | 'resolvers' | 'types';

function TopPanel({
  title,
  dimension,
  window,
  ...props
}: {
  title: string;
  dimension: Dimension;
  window: Window;
  class: string;
}) {
  const url = urlOf(`api/v1/top/${dimension}`, { ...windowParameters(window), limit: 10 });
  const asked = useAsked(url, signal => getItems<Ranked>(url, signal));
  const source: Source = { url, sql: topSql(dimension, window) };
  return (
    <Panel
      title={title}
      aside="lookups"
      isFlush
      class={props.class}
      actions={asked.data && <Export label={`top ${dimension}`} rows={asked.data} source={source} />}
    >
      <div class="holds-ranks">
        <Answer to={asked} lines={9}>
          {rows => {
            if (rows.length === 0) return <Nothing title="None in this time." />;
            const most = rows[0]!.lookups; // they are in this order
            return (
              <ol class="ranks">
                {rows.map(({ value, lookups }) => (
                  <li key={value}>
                    <span class="bar" style={{ width: `${(100 * lookups) / most}%` }} />
                    <span title={value}>
                      <RankedValue dimension={dimension} value={value} />
                    </span>
                    <span>{brief(lookups)}</span>
                  </li>
                ))}
              </ol>
            );
          }}
        </Answer>
      </div>
    </Panel>
  );
}

function RankedValue({ dimension, value }: { dimension: Dimension; value: string }) {
  if (dimension === 'types') return <>{value}</>;
  if (dimension === 'clients') return <ClientLink client={value} />;
  if (dimension === 'resolvers') return <a href={hrefOf(['address', value])}>{value}</a>;
  if (dimension === 'tlds')
    return <a href={hrefOf(['names', `*.${shownName(value)}`])}>{shownName(value)}</a>;
  return <NameLink name={value} />;
}

function topSql(dimension: Dimension, { since, until }: Window): string {
  const inWindow = `hour >= date_trunc('hour', timestamptz ${quoted(since.toISOString())}, 'UTC') and hour < ${quoted(until.toISOString())}`;
  return dimension === 'types'
    ? `select key as value, sum(n.value::bigint) as lookups
from traffic_hour cross join jsonb_each_text(qtypes) as n
where ${inWindow}
group by key order by lookups desc limit 10;`
    : `select value, sum(lookups) as lookups, sum(nxdomain) as nxdomain
from traffic_top
where dimension = '${dimension.slice(0, -1)}' and ${inWindow}
group by value order by lookups desc limit 10;`;
}
