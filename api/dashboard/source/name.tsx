import { useState } from 'preact/hooks';
import { getItems, getJson, sendJson, urlOf, useAsked } from './api.ts';
import { DetectionTable } from './detections.tsx';
import { brief, count, duration, shownName } from './format.ts';
import { Answer, ClientLink, Facts, NameLink, Nothing, Panel, Time } from './parts.tsx';
import { firstOf, lastOf, literalOf, Observations, rrsetSql, useObserved, valuesOf } from './passive.tsx';
import { Lanes } from './pictures.tsx';
import { hrefOf } from './route.ts';
import { type Column, Table } from './table.tsx';
import { TtlHistory } from './ttl.tsx';
import { useWindow, windowParameters } from './window.tsx';

interface Name {
  readonly rrname: string;
  readonly registered_domain: string;
  readonly time_first: string;
  readonly time_last: string;
  readonly questions: number;
  readonly clients: number;
  readonly addresses: readonly string[];
}

interface Domain {
  readonly names: number;
  readonly clients: number;
  readonly questions: number;
  readonly time_first: string;
  readonly time_last: string;
}

interface Asker {
  readonly client: string;
  readonly questions: number;
  readonly time_first: string;
  readonly time_last: string;
}

interface Sibling {
  readonly rrname: string;
  readonly time_first: string;
  readonly time_last: string;
}

const askerColumns: readonly Column<Asker>[] = [
  { title: 'Client', show: ({ client }) => <ClientLink client={client} />, by: ({ client }) => client },
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
  },
  {
    title: 'Last',
    show: ({ time_last }) => <Time at={time_last} />,
    by: ({ time_last }) => time_last,
    isNumber: true,
    isWide: true,
  },
];
const siblingColumns: readonly Column<Sibling>[] = [
  {
    title: 'Name',
    show: ({ rrname }) => <NameLink name={rrname} />,
    by: ({ rrname }) => rrname,
    isCut: true,
  },
  {
    title: 'First',
    show: ({ time_first }) => <Time at={time_first} />,
    by: ({ time_first }) => time_first,
    isNumber: true,
    isWide: true,
  },
  {
    title: 'Last',
    show: ({ time_last }) => <Time at={time_last} />,
    by: ({ time_last }) => time_last,
    isNumber: true,
  },
];

/** Everything that is known of a name. */
export function NamePage({ name }: { name: string }) {
  const path = encodeURIComponent(name);
  const window = useWindow();
  const asked = useAsked(`name ${name}`, signal => readName(name, signal));
  const domain = useAsked(`domain ${name}`, signal => readDomain(name, signal));
  const registered = asked.data?.registered_domain;
  return (
    <>
      <div class="head">
        <div>
          <p class="over">
            Name
            {registered !== undefined && shownName(registered) !== shownName(name) && (
              <>
                {' '}
                below <NameLink name={registered} />
              </>
            )}
          </p>
          <h1>{shownName(name)}</h1>
        </div>
        <div class="row">
          <a class="button" href={hrefOf(['names', `*.${shownName(name)}`])}>
            Names below
          </a>
          <a class="button" href={hrefOf(['graph', shownName(name)])}>
            Graph
          </a>
        </div>
      </div>
      <NameFacts asked={asked.data} domain={domain.data} isLoading={asked.loading || domain.loading} />
      <Panel title="Detections" isFlush>
        <DetectionTable
          label={`detections about ${shownName(name)}`}
          parameters={{ subject: name, since: '1970-01-01', muted: 'all' }}
          isBrief
          nothing={<Nothing title="Nothing was found about it, or about a name below it." />}
        />
      </Panel>
      <Panel title="Answers over time">
        <AnswersOverTime name={name} />
      </Panel>
      <Panel title="Answers" isFlush>
        <Observations
          label={`answers of ${shownName(name)}`}
          question={`rrset/name/${path}`}
          sql={rrsetSql(`rrname = ${literalOf(name)}`)}
          hasNames={false}
          nothing="No answer was seen. It was only asked for, or the sensor sees questions alone."
        />
      </Panel>
      <div class="cols">
        <Panel class="c6" title="Who asked" isFlush>
          <Askers name={name} />
        </Panel>
        <Panel class="c6" title="TTL" aside="as seen by clients">
          <TtlHistory name={name} window={windowParameters(window)} />
        </Panel>
      </div>
      <div class="cols">
        <Panel
          class="c6"
          title="Names of its domain"
          isFlush
          aside={registered !== undefined && shownName(registered)}
        >
          {asked.loading ? <div class="bones" /> : <Siblings name={asked.data?.registered_domain ?? name} />}
        </Panel>
        <Panel class="c6" title="What points to it" isFlush>
          <Observations
            label={`what points to ${shownName(name)}`}
            question={`rdata/name/${path}`}
            sql={`select rrname, rrtype_name(rrtype) as rrtype, rdata, count, time_first, time_last
from rdata
where rdata_name = ${literalOf(name)}
order by time_last desc;`}
            hasNames
            nothing="Nothing that was seen points to it."
          />
        </Panel>
      </div>
    </>
  );
}

/** Undefined where it was never seen by itself, as many domains are: that is no error, so it is not asked for as if it were there. */
async function readName(name: string, signal: AbortSignal): Promise<Name | undefined> {
  const { items } = await sendJson<{ items: readonly { readonly seen: boolean }[] }>(
    'POST',
    'api/v1/lookup/names',
    { names: [name] },
  );
  return items[0]?.seen ? getJson<Name>(`api/v1/names/${encodeURIComponent(name)}`, signal) : undefined;
}

async function readDomain(name: string, signal: AbortSignal): Promise<Domain | undefined> {
  const url = `api/v1/domains/${encodeURIComponent(name)}`;
  const names = await getItems<Sibling>(`${url}/names?limit=1`, signal);
  return names.length > 0 ? getJson<Domain>(url, signal) : undefined;
}

function NameFacts({
  asked,
  domain,
  isLoading,
}: {
  asked: Name | undefined;
  domain: Domain | undefined;
  isLoading: boolean;
}) {
  const [first, last] = [asked?.time_first ?? domain?.time_first, asked?.time_last ?? domain?.time_last];
  if (!isLoading && first === undefined)
    return (
      <section class="panel">
        <Nothing title="This name was never seen here.">
          It may be new tomorrow: its page will be at the same address.
        </Nothing>
      </section>
    );
  const facts: readonly (readonly [string, preact.ComponentChildren])[] = [
    ['First seen', first === undefined ? '\u2007' : <Time at={first} />],
    ['Last seen', last === undefined ? '\u2007' : <Time at={last} />],
    [
      'Questions',
      asked === undefined ? (
        '\u2007'
      ) : (
        <>
          {count(asked.questions)}
          {domain !== undefined && domain.questions > asked.questions && (
            <small> of {brief(domain.questions)} with below</small>
          )}
        </>
      ),
    ],
    ['Clients', asked === undefined ? '\u2007' : count(asked.clients)],
    ['Addresses', asked === undefined ? '\u2007' : count(asked.addresses.length)],
    ['Names with those below', domain === undefined ? '\u2007' : count(domain.names)],
  ];
  return <Facts facts={facts} />;
}

function AnswersOverTime({ name }: { name: string }) {
  const asked = useObserved(`rrset/name/${encodeURIComponent(name)}`);
  const [isAll, setAll] = useState(false);
  return (
    <Answer to={asked} lines={4}>
      {rows => {
        const marks = rows.flatMap(row =>
          valuesOf(row).map(value => ({ from: firstOf(row), to: lastOf(row), lane: value })),
        );
        if (marks.length === 0) return <p class="muted">No answer was seen.</p>;
        const lanes = new Set(marks.map(({ lane }) => lane)).size;
        const span = Math.max(...marks.map(({ to }) => to)) - Math.min(...marks.map(({ from }) => from));
        return (
          <div class="form">
            <Lanes
              label={`Values of ${shownName(name)}`}
              marks={marks}
              most={isAll ? 200 : 14}
              href={lane =>
                hrefOf([
                  /^[\d.]+$|:/.test(lane) ? 'address' : 'name',
                  shownName(lane.split(' ').at(-1) ?? lane),
                ])
              }
            />
            <p class="muted small row">
              {count(lanes)} {lanes === 1 ? 'value' : 'values'} in {duration(span / 1000)}
              {lanes > 14 && !isAll && (
                <button type="button" class="button quiet" onClick={() => setAll(true)}>
                  Show up to 200
                </button>
              )}
            </p>
          </div>
        );
      }}
    </Answer>
  );
}

function Askers({ name }: { name: string }) {
  const url = urlOf(`api/v1/names/${encodeURIComponent(name)}/clients`, { limit: 1000 });
  const asked = useAsked(url, signal => getItems<Asker>(url, signal));
  return (
    <Answer to={asked} lines={5}>
      {rows =>
        rows.length === 0 ? (
          <Nothing title="Nobody asked for it by itself." />
        ) : (
          <Table
            label={`clients of ${shownName(name)}`}
            rows={rows}
            columns={askerColumns}
            first={12}
            source={{
              url,
              sql: `select client, sum(count) as questions, min(time_first) as time_first, max(time_last) as time_last
from asked
where rrname = ${literalOf(name)}
group by client order by time_first;`,
            }}
          />
        )
      }
    </Answer>
  );
}

function Siblings({ name }: { name: string }) {
  const url = urlOf(`api/v1/domains/${encodeURIComponent(name)}/names`, { limit: 1000 });
  const asked = useAsked(url, signal => getItems<Sibling>(url, signal));
  return (
    <Answer to={asked} lines={5}>
      {rows =>
        rows.length === 0 ? (
          <Nothing title="None." />
        ) : (
          <Table
            label={`names of ${shownName(name)}`}
            rows={rows}
            columns={siblingColumns}
            first={12}
            source={{
              url,
              sql: `select rrname, time_first, time_last from dns_name where rrname = ${literalOf(name)} or is_below(rrname, ${literalOf(name)}) order by rrname;`,
            }}
          />
        )
      }
    </Answer>
  );
}
