import { NamesOverTime } from './address.tsx';
import { AddressLink, Panel } from './parts.tsx';
import { Observations } from './passive.tsx';
import { quoted } from './table.tsx';

/** What was seen in a network: names on its addresses, and what was found about clients in it. */
export function NetworkPage({ network }: { network: string }) {
  const [address = network] = network.split('/');
  const question = `rdata/ip/${network.replace('/', ',')}`;
  return (
    <>
      <div class="head">
        <div>
          <p class="over">
            Network of <AddressLink address={address} />
          </p>
          <h1>{network}</h1>
        </div>
      </div>
      <Panel title="Names over time">
        <NamesOverTime question={question} />
      </Panel>
      <Panel title="Names in it" isFlush>
        <Observations
          label={`names in ${network}`}
          question={question}
          sql={`select rdata_ip, rrname, rrtype_name(rrtype) as rrtype, count, time_first, time_last
from rdata
where rdata_ip <<= ${quoted(network)}
order by time_last desc;`}
          hasNames
          nothing="No name was seen with an address of this network."
        />
      </Panel>
    </>
  );
}
