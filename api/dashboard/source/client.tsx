import { getItems, getJson, urlOf, useAsked } from './api.ts';
import { Chart } from './chart.tsx';
import { DetectionTable } from './detections.tsx';
import { brief, count, octets } from './format.ts';
import { AddressLink, Answer, Facts, NameLink, Nothing, Panel, Time } from './parts.tsx';
import { hrefOf } from './route.ts';
import { type Column, quoted, Table } from './table.tsx';
import { chooseWindow, useWindow, type Window, WindowPicker, windowParameters } from './window.tsx';

interface Client {
  readonly questions: number;
  readonly names: number;
  readonly domains: number;
  readonly nxdomain: number | null;
  readonly lookups: number | null;
  readonly time_first: string | null;
  readonly time_last: string | null;
  readonly detections: number;
}

interface Activity {
  readonly hour: string;
  readonly lookups: number;
  readonly nxdomain: number;
  readonly names: number;
}

interface Asked {
  readonly rrname: string;
  readonly questions: number;
  readonly time_first: string;
  readonly time_last: string;
}

interface Resolver {
  readonly resolver: string;
  readonly flows: number;
  readonly lookups: number;
  readonly ports: readonly number[];
  readonly approved: boolean;
  readonly time_last: string;
}

interface Connection {
  readonly rrname: string;
  readonly address: string;
  readonly flows: number;
  readonly octets: number;
  readonly time_last: string;
}

const MOST = 5000;
const HOUR = 3600;
const last = <Row extends { time_last: string }>(): Column<Row> => ({
  title: 'Last',
  show: ({ time_last }) => <Time at={time_last} />,
  by: ({ time_last }) => time_last,
  isNumber: true,
});

const askedColumns: readonly Column<Asked>[] = [
  {
    title: 'Name',
    show: ({ rrname }) => <NameLink name={rrname} />,
    by: ({ rrname }) => rrname,
    isCut: true,
  },
  {
    title: 'Questions',
    show: ({ questions }) => count(questions),
    by: ({ questions }) => questions,
    isNumber: true,
  },
  {
    title: 'First',
    show: ({ time_first }) => <Time at={time_first} />,
    by: ({ time_first }) => time_first,
    isNumber: true,
    isWide: true,
  },
  last<Asked>(),
];
const resolverColumns: readonly Column<Resolver>[] = [
  {
    title: 'Resolver',
    show: ({ resolver }) => <AddressLink address={resolver} />,
    by: ({ resolver }) => resolver,
  },
  {
    title: 'Approved',
    show: ({ approved }) => (approved ? 'yes' : <span class="tag">no</span>),
    by: ({ approved }) => String(approved),
  },
  { title: 'Ports', show: ({ ports }) => ports.join(', '), isNumber: true, isWide: true },
  { title: 'Lookups', show: ({ lookups }) => count(lookups), by: ({ lookups }) => lookups, isNumber: true },
  {
    title: 'Flows',
    show: ({ flows }) => count(flows),
    by: ({ flows }) => flows,
    isNumber: true,
    isWide: true,
  },
  last<Resolver>(),
];
const connectionColumns: readonly Column<Connection>[] = [
  {
    title: 'Name',
    show: ({ rrname }) => <NameLink name={rrname} />,
    by: ({ rrname }) => rrname,
    isCut: true,
  },
  { title: 'Address', show: ({ address }) => <AddressLink address={address} />, isWide: true },
  {
    title: 'Flows',
    show: ({ flows }) => count(flows),
    by: ({ flows }) => flows,
    isNumber: true,
    isWide: true,
  },
  { title: 'Octets', show: row => octets(row.octets), by: row => row.octets, isNumber: true },
];

/** What a client did, and what is unusual about it. */
export function ClientPage({ client }: { client: string }) {
  const window = useWindow();
  const base = `api/v1/clients/${encodeURIComponent(client)}`;
  const span = windowParameters(window);
  const url = urlOf(base, span);
  const { data } = useAsked(url, signal => getJson<Client>(url, signal));
  const inWindow = `time_last >= ${quoted(span.since)} and time_first < ${quoted(span.until)}`;
  return (
    <>
      <div class="head">
        <div>
          <p class="over">Client</p>
          <h1>{client}</h1>
        </div>
        <div class="row">
          <WindowPicker />
          <a class="button" href={hrefOf(['address', client])}>
            As an address
          </a>
          <a class="button" href={hrefOf(['graph', `client ${client}`])}>
            Graph
          </a>
        </div>
      </div>
      {data?.questions === 0 ? (
        <section class="panel">
          <Nothing title="It asked nothing in this time.">
            <a href={hrefOf(['client', client], { last: 'all', from: null, to: null })}>Show all time</a>
          </Nothing>
        </section>
      ) : (
        <Facts
          facts={[
            ['Questions', data && count(data.questions)],
            ['Names', data && count(data.names)],
            ['Domains', data && count(data.domains)],
            ['NXDOMAIN', data && (data.nxdomain === null ? '–' : count(data.nxdomain))],
            ['First', data && <Time at={data.time_first} />],
            ['Last', data && <Time at={data.time_last} />],
          ]}
        />
      )}
      <Panel title="When it asked" aside="drag to zoom">
        <ActivityChart base={base} window={window} />
      </Panel>
      <Panel title="Detections" isFlush>
        <DetectionTable
          label={`detections of ${client}`}
          parameters={{ client, ...span, severity: 'low,medium,high', muted: 'all' }}
          isBrief
          nothing={<Nothing title="Nothing of note was found in this time." />}
        />
      </Panel>
      <div class="cols">
        <Panel class="c6" title="Names only it asked for" isFlush>
          <List
            url={urlOf(`${base}/unusual`, { ...span, limit: MOST })}
            label={`unusual names of ${client}`}
            columns={askedColumns}
            nothing="All its names were asked for by others too."
            sql={`select rrname, sum(count) as questions, min(time_first) as time_first, max(time_last) as time_last
from asked as own
where client = ${quoted(client)} and ${inWindow}
  and not exists (select from asked as other where other.rrname = own.rrname and other.client <> ${quoted(client)})
group by rrname order by rrname;`}
          />
        </Panel>
        <Panel class="c6" title="Through which resolvers" isFlush>
          <List
            url={urlOf(`${base}/resolvers`, { ...span, limit: 500 })}
            label={`resolvers of ${client}`}
            columns={resolverColumns}
            nothing="No resolver was seen in this time."
            sql={`select resolver, sum(flows) as flows, sum(lookups) as lookups, min(time_first), max(time_last)
from resolver_hour
where client = ${quoted(client)} and hour >= ${quoted(span.since)} and hour < ${quoted(span.until)}
group by resolver order by resolver;`}
          />
        </Panel>
      </div>
      <div class="cols">
        <Panel class="c6" title="What it asked for" isFlush>
          <List
            url={urlOf(`${base}/names`, { ...span, limit: MOST })}
            label={`names of ${client}`}
            columns={askedColumns}
            nothing="Nothing in this time."
            by={(a, b) => b.questions - a.questions}
            sql={`select rrname, sum(count) as questions, min(time_first) as time_first, max(time_last) as time_last
from asked
where client = ${quoted(client)} and ${inWindow}
group by rrname order by questions desc;`}
          />
        </Panel>
        <Panel class="c6" title="What it connected to" isFlush aside="by the name it had resolved">
          <List
            url={urlOf('api/v1/connections', { client, ...span, limit: 1000 })}
            label={`connections of ${client}`}
            columns={connectionColumns}
            nothing="No connection after a lookup was seen in this time."
            sql={`select rrname, address, sum(flows) as flows, sum(octets) as octets, min(time_first), max(time_last)
from connection_hour
where client = ${quoted(client)} and hour >= ${quoted(span.since)} and hour < ${quoted(span.until)}
group by rrname, address order by octets desc;`}
          />
        </Panel>
      </div>
    </>
  );
}

function List<Row extends object>(props: {
  url: string;
  label: string;
  columns: readonly Column<Row>[];
  nothing: string;
  sql: string;
  by?: (a: Row, b: Row) => number;
}) {
  const { url, label, columns, nothing, sql, by } = props;
  const asked = useAsked(url, signal => getItems<Row>(url, signal));
  return (
    <Answer to={asked} lines={6}>
      {rows =>
        rows.length === 0 ? (
          <Nothing title={nothing} />
        ) : (
          <Table
            label={label}
            rows={by === undefined ? rows : rows.toSorted(by)}
            columns={columns}
            source={{ url, sql }}
            first={15}
          />
        )
      }
    </Answer>
  );
}

function ActivityChart({ base, window }: { base: string; window: Window }) {
  const url = urlOf(`${base}/activity`, windowParameters(window));
  const asked = useAsked(url, async signal => drawnOf(await getItems<Activity>(url, signal), window));
  return (
    <Answer to={asked} lines={6}>
      {({ times, series }) => (
        <Chart
          label={`Lookups by the hour: ${series.map(({ name, values }) => `${name} ${count(values.reduce((a, b) => a + b, 0))}`).join(', ')}`}
          times={times}
          series={series}
          height={150}
          isStacked
          show={brief}
          onBrush={chooseWindow}
        />
      )}
    </Answer>
  );
}

function drawnOf(rows: readonly Activity[], { since, until }: Window) {
  const known = new Map(rows.map(row => [Date.parse(row.hour) / 1000, row]));
  const times: number[] = [];
  for (let at = Math.floor(since.getTime() / 1000 / HOUR) * HOUR; at < until.getTime() / 1000; at += HOUR)
    times.push(at);
  const values = (of: (row: Activity) => number) =>
    times.map(time => {
      const row = known.get(time);
      return row === undefined ? 0 : of(row);
    });
  return {
    times,
    series: [
      { name: 'NXDOMAIN', color: '--medium', values: values(({ nxdomain }) => nxdomain) },
      {
        name: 'Other lookups',
        color: '--accent',
        values: values(({ lookups, nxdomain }) => lookups - nxdomain),
      },
    ],
  };
}
