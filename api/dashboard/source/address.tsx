import { getItems, getJson, urlOf, useAsked } from './api.ts';
import { DetectionTable } from './detections.tsx';
import { brief, count, octets } from './format.ts';
import { AddressLink, Answer, ClientLink, Facts, NameLink, Nothing, Panel, Time } from './parts.tsx';
import { firstOf, lastOf, Observations, useObserved } from './passive.tsx';
import { Lanes } from './pictures.tsx';
import { hrefOf } from './route.ts';
import { type Column, quoted, Table } from './table.tsx';
import { useWindow, windowParameters } from './window.tsx';

interface Address {
  readonly network: string;
  readonly names: number;
  readonly time_first: string | null;
  readonly time_last: string | null;
  readonly clients: number;
  readonly flows: number;
  readonly octets: number;
  readonly questions: number;
}

interface Neighbour {
  readonly address: string;
  readonly rrname: string;
  readonly count: number;
  readonly time_last: string;
}

interface Connection {
  readonly client: string;
  readonly rrname: string;
  readonly flows: number;
  readonly octets: number;
  readonly time_first: string;
  readonly time_last: string;
}

const neighbourColumns: readonly Column<Neighbour>[] = [
  { title: 'Address', show: ({ address }) => <AddressLink address={address} /> },
  {
    title: 'Name',
    show: ({ rrname }) => <NameLink name={rrname} />,
    by: ({ rrname }) => rrname,
    isCut: true,
  },
  { title: 'Count', show: row => count(row.count), by: row => row.count, isNumber: true, isWide: true },
  {
    title: 'Last',
    show: ({ time_last }) => <Time at={time_last} />,
    by: ({ time_last }) => time_last,
    isNumber: true,
  },
];
const connectionColumns: readonly Column<Connection>[] = [
  { title: 'Client', show: ({ client }) => <ClientLink client={client} />, by: ({ client }) => client },
  { title: 'As', show: ({ rrname }) => <NameLink name={rrname} />, by: ({ rrname }) => rrname, isCut: true },
  {
    title: 'Flows',
    show: ({ flows }) => count(flows),
    by: ({ flows }) => flows,
    isNumber: true,
    isWide: true,
  },
  { title: 'Octets', show: row => octets(row.octets), by: row => row.octets, isNumber: true },
  {
    title: 'Last',
    show: ({ time_last }) => <Time at={time_last} />,
    by: ({ time_last }) => time_last,
    isNumber: true,
    isWide: true,
  },
];

/** Everything that is known of an address. */
export function AddressPage({ address }: { address: string }) {
  const window = useWindow();
  const path = encodeURIComponent(address);
  const url = `api/v1/addresses/${path}`;
  const asked = useAsked(url, signal => getJson<Address>(url, signal));
  const { data } = asked;
  const neighboursUrl = urlOf(`api/v1/addresses/${path}/neighbours`, { limit: 500 });
  const neighbours = useAsked(neighboursUrl, signal => getItems<Neighbour>(neighboursUrl, signal));
  const connectionsUrl = urlOf('api/v1/connections', { address, ...windowParameters(window), limit: 500 });
  const connections = useAsked(connectionsUrl, signal => getItems<Connection>(connectionsUrl, signal));
  const question = `rdata/ip/${address}`;
  return (
    <>
      <div class="head">
        <div>
          <p class="over">
            Address{' '}
            {data && (
              <>
                in <AddressLink address={data.network} />
              </>
            )}
          </p>
          <h1>{address}</h1>
        </div>
        <div class="row">
          <a class="button" href={hrefOf(['client', address])}>
            As a client
          </a>
          <a class="button" href={hrefOf(['graph', address])}>
            Graph
          </a>
        </div>
      </div>
      {data && data.names + data.flows + data.questions === 0 ? (
        <section class="panel">
          <Nothing title="This address was never seen here.">
            Neither as an answer, nor as one that asked or was connected to.
          </Nothing>
        </section>
      ) : (
        <Facts
          facts={[
            ['Names on it', data && count(data.names)],
            ['First seen', data && <Time at={data.time_first} />],
            ['Last seen', data && <Time at={data.time_last} />],
            ['Clients connected', data && count(data.clients)],
            ['Octets', data && octets(data.octets)],
            [
              'Questions it asked',
              data &&
                (data.questions > 0 ? (
                  <a href={hrefOf(['client', address])}>{brief(data.questions)}</a>
                ) : (
                  '0'
                )),
            ],
          ]}
        />
      )}
      <Panel title="Names over time">
        <NamesOverTime question={question} />
      </Panel>
      <Panel title="Names on it" isFlush>
        <Observations
          label={`names on ${address}`}
          question={question}
          sql={`select rrname, rrtype_name(rrtype) as rrtype, count, time_first, time_last
from rdata
where rdata_ip = ${quoted(address)}
order by time_last desc;`}
          hasNames
          nothing="No name was seen with it."
        />
      </Panel>
      <div class="cols">
        <Panel class="c6" title="Neighbours in its network" isFlush aside={data?.network}>
          <Answer to={neighbours} lines={5}>
            {rows =>
              rows.length === 0 ? (
                <Nothing title="No other address of its network was seen." />
              ) : (
                <Table
                  label={`neighbours of ${address}`}
                  rows={rows}
                  columns={neighbourColumns}
                  first={12}
                  source={{
                    url: neighboursUrl,
                    sql: `select rdata_ip, rrname, count, time_first, time_last
from rdata
where rdata_ip <<= ${quoted(data?.network ?? address)} and rdata_ip <> ${quoted(address)}
order by rdata_ip, rrname;`,
                  }}
                />
              )
            }
          </Answer>
        </Panel>
        <Panel class="c6" title="Who connected" isFlush aside="after resolving a name">
          <Answer to={connections} lines={5}>
            {rows =>
              rows.length === 0 ? (
                <Nothing title="No connection to it was seen in this time." />
              ) : (
                <Table
                  label={`connections to ${address}`}
                  rows={rows}
                  columns={connectionColumns}
                  first={12}
                  source={{
                    url: connectionsUrl,
                    sql: `select client, rrname, flows, octets, time_first, time_last from connection where address = ${quoted(address)} order by octets desc;`,
                  }}
                />
              )
            }
          </Answer>
        </Panel>
      </div>
      <Panel title="Detections" isFlush>
        <DetectionTable
          label={`detections about ${address}`}
          parameters={{ subject: address, since: '1970-01-01', muted: 'all' }}
          isBrief
          nothing={<Nothing title="Nothing was found about it." />}
        />
      </Panel>
    </>
  );
}

/** When each name had an address. */
export function NamesOverTime({ question }: { question: string }) {
  const asked = useObserved(question);
  return (
    <Answer to={asked} lines={4}>
      {rows =>
        rows.length === 0 ? (
          <p class="muted">No name was seen with it.</p>
        ) : (
          <Lanes
            label="Names"
            marks={rows.map(row => ({ from: firstOf(row), to: lastOf(row), lane: row.rrname }))}
            href={lane => hrefOf(['name', lane.replace(/(.)\.$/, '$1')])}
          />
        )
      }
    </Answer>
  );
}
