import { type ComponentChildren, Fragment } from 'preact';
import { useState } from 'preact/hooks';
import { getItems, getJson, sendJson, urlOf, useAsked } from './api.ts';
import { type Detection, Subject } from './detections.tsx';
import { count, kindName, MEANINGS, sentence, shownName } from './format.ts';
import {
  AddressLink,
  Answer,
  ClientLink,
  Dialog,
  isAddress,
  Nothing,
  Panel,
  Score,
  Severity,
  Time,
  Value,
} from './parts.tsx';
import { pictureOf, type Row } from './pictures.tsx';
import { hrefOf } from './route.ts';
import { type Column, Table } from './table.tsx';

interface Whole extends Detection {
  readonly mute_id: number | null;
  readonly question: string | null;
  readonly explanation: string | null;
  readonly fooled_by: string | null;
  readonly evidence: Row;
  readonly thresholds: Row;
  readonly query: string;
}

interface Kind {
  readonly kind: string;
  readonly thresholds: readonly {
    readonly name: string;
    readonly default: string;
    readonly meaning: string;
  }[];
}

interface Difference {
  readonly subject: string;
  readonly client: string | null;
  readonly highest_score: number;
}

interface WhatIf {
  readonly windows: number;
  readonly before: number;
  readonly after: number;
  readonly added: readonly Difference[];
  readonly gone: readonly Difference[];
}

/** The number that a threshold is compared with, where it has another name. */
const FOUND: Readonly<Record<string, (evidence: Row) => unknown>> = {
  'fast_flux.ttl': ({ ttl_median }) => ttl_median,
  'fast_flux.dispersion': ({ networks_16_32, addresses }) =>
    Math.round((100 * Number(networks_16_32)) / Number(addresses)) / 100,
  'fast_flux.client_share': ({ clients, of_clients }) => share(clients, of_clients),
  'fast_flux.sharing': evidence => evidence.other_domains_in_the_same_subnets,
  'fast_flux.customers': evidence => evidence.other_domains_that_point_here,
  'double_flux.ttl': evidence => evidence.ttl_median_of_ns,
  'double_flux.networks': evidence => evidence.networks_16_32,
  'double_flux.sharing': evidence => evidence.other_zones_at_these_servers,
  'nxdomain_burst.domains': evidence => evidence.nx_domains,
  'tunnelling.clients': evidence => evidence.clients_of_the_domain,
  'tunnelling.client_share': ({ clients_of_the_domain, of_clients }) =>
    share(clients_of_the_domain, of_clients),
  'tunnelling.entropy': evidence => evidence.bits_a_character,
  'beaconing.clients': evidence => evidence.clients_of_the_domain,
  'beaconing.client_share': ({ clients_of_the_domain, of_clients }) =>
    share(clients_of_the_domain, of_clients),
  'rare_tld.client_share': ({ clients, of_clients }) => share(lengthOf(clients), of_clients),
  'rare_tld.lookup_share': ({ lookups, of_lookups }) => share(lookups, of_lookups),
  'name_explosion.nx_share': ({ nxdomain, lookups }) => share(nxdomain, lookups),
  'name_explosion.names_a_client': ({ names, clients }) => Math.round(Number(names) / Number(clients)),
  'nonexistent_tld.names': ({ names, some_names }) => names ?? lengthOf(some_names),
  'malformed_name.names': evidence => evidence.names_with_odd_octets,
  'malformed_name.hyphens': evidence => evidence.names_with_hyphen_at_edge,
  'malformed_name.underscores': evidence => evidence.names_with_underscore,
  'malformed_name.long_names': evidence => evidence.names_too_long,
};

/** The threshold that matters most, and how finely it can be moved. */
const MAIN: Readonly<Record<string, { readonly name: string; readonly step: number }>> = {
  first_seen: { name: 'most_names', step: 1 },
  rogue_resolver: { name: 'flows', step: 1 },
  rare_tld: { name: 'clients', step: 1 },
  nonexistent_tld: { name: 'lookups', step: 1 },
  fast_flux: { name: 'flux_score', step: 1 },
  double_flux: { name: 'addresses', step: 1 },
  nxdomain_burst: { name: 'domains', step: 1 },
  tunnelling: { name: 'characters', step: 10 },
  name_explosion: { name: 'names', step: 1 },
  lookalike: { name: 'typo_length', step: 1 },
  malformed_name: { name: 'names', step: 1 },
  beaconing: { name: 'score', step: 0.01 },
};

const lengthOf = (value: unknown): unknown => (Array.isArray(value) ? value.length : value);
const share = (part: unknown, whole: unknown): number =>
  Math.round((1000 * Number(part)) / Number(whole)) / 1000;

/** One detection: what it says, why, what is behind it, and what to do about it. */
export function DetectionPage({ id }: { id: string }) {
  const asked = useAsked(`detection ${id}`, signal =>
    getJson<Whole>(`api/v1/detections/${encodeURIComponent(id)}`, signal),
  );
  return (
    <Answer to={asked} lines={16}>
      {detection => <Opened key={detection.id} detection={detection} changed={asked.retry} />}
    </Answer>
  );
}

function Opened({ detection, changed }: { detection: Whole; changed(): void }) {
  const { id, kind, subject, client, evidence, severity, score } = detection;
  const rowsUrl = urlOf(`api/v1/detections/${id}/rows`, { limit: 2000 });
  const rows = useAsked(rowsUrl, signal => getItems<Row>(rowsUrl, signal));
  const kinds = useAsked('kinds', signal => getItems<Kind>('api/v1/kinds', signal));
  return (
    <div class="page">
      <div class="head">
        <div>
          <p class="over">
            <a href={hrefOf(['detections'])}>Detections</a> /{' '}
            <a href={hrefOf(['detections'], { kind })}>{kindName(kind)}</a> / {id}
          </p>
          <h1>
            <Subject of={subject} />
          </h1>
        </div>
        <Actions detection={detection} changed={changed} />
      </div>
      <dl class="facts">
        <div>
          <dt>Severity</dt>
          <dd>
            <Severity of={severity} />
          </dd>
        </div>
        <div>
          <dt>Score</dt>
          <dd>
            <Score of={score} />
          </dd>
        </div>
        {client !== null && (
          <div>
            <dt>Client</dt>
            <dd>
              <ClientLink client={client} />
            </dd>
          </div>
        )}
        <div>
          <dt>First</dt>
          <dd>
            <Time at={detection.first_time} />
          </dd>
        </div>
        <div>
          <dt>Last</dt>
          <dd>
            <Time at={detection.last_time} />
          </dd>
        </div>
        <div>
          <dt>Status</dt>
          <dd>
            {sentence(detection.status)}
            {detection.muted && <small> · muted</small>}
          </dd>
        </div>
      </dl>
      <div class="cols">
        <div class="c7 stack">
          <Panel title={kindName(kind)}>
            <div class="prose">
              <p>{MEANINGS[kind] ?? detection.question}</p>
              {detection.explanation !== null && (
                <details>
                  <summary>How it was found, and what may mislead</summary>
                  <p>
                    <Marked text={detection.explanation} />
                  </p>
                  {detection.fooled_by !== null && (
                    <p>
                      <strong>What fools it:</strong> <Marked text={detection.fooled_by} />
                    </p>
                  )}
                </details>
              )}
            </div>
            <div class="shows">
              <Answer to={rows} lines={6}>
                {found =>
                  pictureOf(kind, subject, client, found, evidence) ?? (
                    <p class="muted">
                      The rows behind it were dropped since; the numbers below are what was kept.
                    </p>
                  )
                }
              </Answer>
            </div>
          </Panel>
          <Panel title="Evidence">
            <Pairs of={evidence} />
          </Panel>
        </div>
        <div class="c5 stack">
          <Panel title="Numbers against thresholds" isFlush>
            <Thresholds detection={detection} kinds={kinds.data ?? []} />
          </Panel>
          <WhatIfPanel detection={detection} kinds={kinds.data ?? []} />
        </div>
      </div>
      <Panel title="The rows behind it" isFlush>
        <Answer to={rows} lines={8}>
          {found =>
            found.length === 0 ? (
              <Nothing title="No rows any more.">Records of that time were dropped since.</Nothing>
            ) : (
              <Table
                label={`detection ${id} rows`}
                rows={found}
                columns={columnsOf(found)}
                first={20}
                source={{ url: rowsUrl, sql: `${detection.query};` }}
              />
            )
          }
        </Answer>
      </Panel>
    </div>
  );
}

/** Inline Markdown: code and emphasis. */
function Marked({ text }: { text: string }) {
  return (
    <>
      {text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/).map((part, i) => {
        if (part.startsWith('`')) return <code key={i}>{part.slice(1, -1)}</code>;
        if (part.startsWith('**')) return <strong key={i}>{part.slice(2, -2)}</strong>;
        if (part.startsWith('*')) return <em key={i}>{part.slice(1, -1)}</em>;
        return <Fragment key={i}>{part}</Fragment>;
      })}
    </>
  );
}

/** Any evidence: values are links. */
function Pairs({ of }: { of: Row }) {
  const entries = Object.entries(of).filter(([, value]) => !(Array.isArray(value) && value.length === 0));
  return (
    <dl class="pairs">
      {entries.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{sentence(name)}</dt>
          <dd class="values">
            <Shown value={value} isClient={name.includes('client')} />
          </dd>
        </Fragment>
      ))}
    </dl>
  );
}

const FIRST_VALUES = 12;

function Shown({ value, isClient }: { value: unknown; isClient: boolean }): ComponentChildren {
  const [isAll, setAll] = useState(false);
  if (value === null || value === undefined) return <span class="muted">none</span>;
  if (typeof value === 'number') return count(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) {
    const shown = isAll ? value : value.slice(0, FIRST_VALUES);
    return (
      <>
        {shown.map((each, i) => (
          <Shown key={i} value={each} isClient={isClient} />
        ))}
        {value.length > shown.length && (
          <button type="button" class="button quiet" onClick={() => setAll(true)}>
            {count(value.length - shown.length)} more
          </button>
        )}
      </>
    );
  }
  if (typeof value === 'object')
    return Object.entries(value)
      .filter(([, each]) => !(Array.isArray(each) && each.length === 0))
      .map(([name, each]) => (
        <span key={name}>
          {name}: <Shown value={each} isClient={isClient} />
        </span>
      ));
  const text = String(value);
  if (/^\d{4}-\d\d-\d\dT/.test(text)) return <Time at={text} />;
  return <Value text={text} isClient={isClient} />;
}

function Thresholds({
  detection: { kind, evidence, thresholds },
  kinds,
}: {
  detection: Whole;
  kinds: readonly Kind[];
}) {
  const meanings = new Map(
    kinds.find(each => each.kind === kind)?.thresholds.map(({ name, meaning }) => [name, meaning]),
  );
  return (
    <table>
      <caption class="hidden">Numbers against thresholds</caption>
      <thead>
        <tr>
          <th scope="col">Threshold</th>
          <th scope="col" class="num">
            Found
          </th>
          <th scope="col" class="num">
            Limit
          </th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(thresholds).map(([name, limit]) => {
          const raw = FOUND[`${kind}.${name}`]?.(evidence) ?? lengthOf(evidence[name]);
          return (
            <tr key={name}>
              <td>
                {sentence(name)}
                {meanings.has(name) && (
                  <span class="muted small block">
                    <Marked text={meanings.get(name)!} />
                  </span>
                )}
              </td>
              <td class="num">
                {typeof raw === 'number' && !Number.isNaN(raw) ? (
                  <strong>{count(raw)}</strong>
                ) : (
                  <span class="muted">–</span>
                )}
              </td>
              <td class="num">
                {typeof limit === 'number'
                  ? count(limit)
                  : typeof limit === 'boolean'
                    ? limit
                      ? 'yes'
                      : 'no'
                    : String(limit)}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function WhatIfPanel({
  detection: { kind, thresholds },
  kinds,
}: {
  detection: Whole;
  kinds: readonly Kind[];
}) {
  const main = MAIN[kind];
  const set = main === undefined ? undefined : thresholds[main.name];
  const [value, setValue] = useState(typeof set === 'number' ? set : 0);
  const [tried, setTried] = useState<number>();
  const asked = useAsked(tried === undefined ? null : `what-if ${kind} ${tried}`, () =>
    sendJson<WhatIf>('POST', 'api/v1/what-if', { kind, set: { [main!.name]: tried } }),
  );
  if (main === undefined || typeof set !== 'number') return null;
  const most = set <= 1 && main.step < 1 ? 1 : Math.max(set * 5, 10);
  const meaning = kinds
    .find(each => each.kind === kind)
    ?.thresholds.find(({ name }) => name === main.name)?.meaning;
  return (
    <Panel title="What if" aside={<>another “{sentence(main.name).toLowerCase()}”</>}>
      <div class="form">
        <label class="stack">
          <span class="row spread">
            <span>{meaning ?? sentence(main.name)}</span>
            <output class="big">{count(value)}</output>
          </span>
          <input
            type="range"
            min={main.step}
            max={most}
            step={main.step}
            value={value}
            onInput={event => setValue(Number(event.currentTarget.value))}
            onChange={event => setTried(Number(event.currentTarget.value))}
          />
        </label>
        <div class="tries">
          {tried === undefined ? (
            <p class="muted">
              Set now: {count(set)}. Move it to see what would be found in all that is stored. Nothing is
              changed.
            </p>
          ) : (
            <Answer to={asked} lines={3}>
              {({ before, after, added, gone, windows }) => (
                <>
                  <p>
                    <strong>{count(after)}</strong> instead of <strong>{count(before)}</strong> found, in{' '}
                    {count(windows)} windows.
                  </p>
                  <Differences title="More" of={added} />
                  <Differences title="Not any more" of={gone} />
                </>
              )}
            </Answer>
          )}
        </div>
      </div>
    </Panel>
  );
}

function Differences({ title, of }: { title: string; of: readonly Difference[] }) {
  if (of.length === 0) return null;
  return (
    <details open={of.length <= 6}>
      <summary>
        {title}: {count(of.length)}
      </summary>
      <ul class="differences">
        {of.slice(0, 50).map(({ subject, client }) => (
          <li key={`${subject} ${client}`} class="row spread">
            <Subject of={subject} />
            {client !== null && client !== subject && <ClientLink client={client} />}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Actions({ detection, changed }: { detection: Whole; changed(): void }) {
  const { id, status, mute_id } = detection;
  const [isMuting, setMuting] = useState(false);
  const [failure, setFailure] = useState<string>();
  const act = (method: string, url: string, body: unknown) =>
    sendJson(method, url, body).then(
      () => {
        setFailure(undefined);
        changed();
      },
      (error: Error) => setFailure(error.message),
    );
  const mark = (to: string) => act('POST', `api/v1/detections/${id}/status`, { status: to });
  return (
    <div class="row">
      {failure !== undefined && (
        <p class="error" role="alert">
          {failure}
        </p>
      )}
      {status === 'new' && (
        <button type="button" class="button" onClick={() => mark('acknowledged')}>
          Acknowledge
        </button>
      )}
      {status === 'closed' ? (
        <button type="button" class="button" onClick={() => mark('new')}>
          Open again
        </button>
      ) : (
        <button type="button" class="button" onClick={() => mark('closed')}>
          Close
        </button>
      )}
      {mute_id === null ? (
        <button type="button" class="button" onClick={() => setMuting(true)}>
          Mute…
        </button>
      ) : (
        <button type="button" class="button" onClick={() => act('DELETE', `api/v1/mutes/${mute_id}`, {})}>
          End mute
        </button>
      )}
      {isMuting && (
        <MuteDialog
          detection={detection}
          close={() => setMuting(false)}
          mute={body => {
            setMuting(false);
            return act('POST', 'api/v1/mutes', body);
          }}
        />
      )}
    </div>
  );
}

function MuteDialog({
  detection,
  close,
  mute,
}: {
  detection: Whole;
  close(): void;
  mute(body: object): void;
}) {
  const { kind, subject, client } = detection;
  const scopes: readonly (readonly [string, object])[] = [
    [`${kindName(kind)} about ${shownName(subject)}`, { kind, subject }],
    ...(client === null || client === subject
      ? []
      : [[`${kindName(kind)} of client ${client}`, { kind, client }] as const]),
    [`Anything about ${shownName(subject)}${isAddress(subject) ? '' : ' and names below it'}`, { subject }],
    [`Everything of kind ${kindName(kind)}`, { kind }],
  ];
  const [scope, setScope] = useState(0);
  const [reason, setReason] = useState('');
  const [until, setUntil] = useState('7d');
  return (
    <Dialog title="Mute" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          mute({ ...scopes[scope]?.[1], reason: reason.trim(), until });
        }}
      >
        <p class="muted">It is found and kept all the same, but not shown or sent any more.</p>
        <label class="stack">
          What
          <select class="field" value={scope} onChange={event => setScope(Number(event.currentTarget.value))}>
            {scopes.map(([text], i) => (
              <option key={text} value={i}>
                {text}
              </option>
            ))}
          </select>
        </label>
        <label class="stack">
          Why
          <textarea
            class="field"
            rows={2}
            required
            maxLength={1000}
            value={reason}
            onInput={event => setReason(event.currentTarget.value)}
            placeholder="Tell those who will wonder"
          />
        </label>
        <label class="stack">
          For how long
          <select class="field" value={until} onChange={event => setUntil(event.currentTarget.value)}>
            <option value="1d">a day</option>
            <option value="7d">a week</option>
            <option value="30d">thirty days</option>
            <option value="365d">a year</option>
          </select>
        </label>
        <button type="submit" class="button primary" disabled={reason.trim() === ''}>
          Mute
        </button>
      </form>
    </Dialog>
  );
}

const MOST_COLUMNS = 9;
/** Which columns of SQL tell most, and those that only the database needs. */
const TELLING = [
  'time',
  'start_time',
  'client',
  'src',
  'resolver',
  'dst',
  'rrname',
  'names',
  'rrtype',
  'rdata_ip',
  'rdata',
  'ttl',
  'dst_port',
  'protocol',
];
const INTERNAL = ['flow_id', 'exporter_id', 'file_id', 'dns_id', 'observation_domain_id'];

/** Columns for rows of any SQL. */
function columnsOf(rows: readonly Row[]): Column<Row>[] {
  const rankOf = (name: string) => (TELLING.includes(name) ? TELLING.indexOf(name) : TELLING.length);
  const names = Object.keys(rows[0] ?? {})
    .filter(name => !INTERNAL.includes(name) && rows.some(row => row[name] !== null))
    .sort((a, b) => rankOf(a) - rankOf(b))
    .slice(0, MOST_COLUMNS);
  return names.map((name, i) => {
    const isNumber = rows.every(row => row[name] === null || typeof row[name] === 'number');
    const isTime = rows.every(
      row =>
        row[name] === null || (typeof row[name] === 'string' && /^\d{4}-\d\d-\d\dT/.test(String(row[name]))),
    );
    return {
      title: sentence(name),
      isNumber,
      isWide: i > 2,
      ...(name === 'rrname' && { isCut: true }),
      show: row => {
        const value = row[name];
        if (isTime) return <Time at={value as string | null} isExact />;
        if (typeof value === 'number') return name.endsWith('port') ? value : count(value);
        if (name === 'client' || name === 'src')
          return typeof value === 'string' && <ClientLink client={value} />;
        if (typeof value === 'string')
          return isAddress(value) ? <AddressLink address={value} /> : <Value text={value} />;
        return <Shown value={value} isClient={false} />;
      },
      by: row => (isNumber ? Number(row[name] ?? -1) : String(row[name] ?? '')),
    };
  });
}
