import { useEffect, useRef, useState } from 'preact/hooks';
import { getItems, getJson, urlOf, useAsked } from './api.ts';
import { kindName, MEANINGS, shownName } from './format.ts';
import { Answer, ClientLink, isAddress, NameLink, Nothing, Panel, Score, Severity, Time } from './parts.tsx';
import { go, hereWith, hrefOf, type Route } from './route.ts';
import { type Column, quoted, type Source, Table } from './table.tsx';
import { useWindow, WindowPicker, windowParameters } from './window.tsx';

/** One detection, as lists have it. */
export interface Detection {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly client: string | null;
  readonly first_time: string;
  readonly last_time: string;
  readonly score: number;
  readonly severity: string;
  readonly status: string;
  readonly windows: number;
  readonly muted: boolean;
}

const MOST = 1000;
const NOTABLE = 'low,medium,high';
const OPEN = 'new,acknowledged';
const RANK: Readonly<Record<string, number>> = { high: 3, medium: 2, low: 1, info: 0 };

const columns: readonly Column<Detection>[] = [
  {
    title: 'Severity',
    show: ({ severity }) => <Severity of={severity} />,
    by: ({ severity }) => RANK[severity] ?? 0,
  },
  { title: 'Score', show: ({ score }) => <Score of={score} />, by: ({ score }) => score, isWide: true },
  {
    title: 'Kind',
    show: ({ id, kind }) => (
      <a href={hrefOf(['detection', String(id)])} class="nowrap">
        {kindName(kind)}
      </a>
    ),
    by: ({ kind }) => kind,
  },
  {
    title: 'Subject',
    show: ({ subject }) => <Subject of={subject} />,
    by: ({ subject }) => subject,
    isCut: true,
  },
  {
    title: 'Client',
    show: ({ client }) => client !== null && <ClientLink client={client} />,
    by: ({ client }) => client ?? '',
    isWide: true,
  },
  {
    title: 'First',
    show: ({ first_time }) => <Time at={first_time} />,
    by: ({ first_time }) => first_time,
    isNumber: true,
    isWide: true,
  },
  {
    title: 'Last',
    show: ({ last_time }) => <Time at={last_time} />,
    by: ({ last_time }) => last_time,
    isNumber: true,
  },
  {
    title: 'Status',
    show: ({ status, muted }) =>
      muted ? (
        <span class="tag">muted</span>
      ) : status === 'new' ? (
        <span class="muted">new</span>
      ) : (
        <span class="tag">{status}</span>
      ),
    by: ({ status }) => status,
    isWide: true,
  },
];

/** What a detection is about, with a way to its page. */
export function Subject({ of }: { of: string }) {
  if (isAddress(of)) return <a href={hrefOf(['address', of])}>{of}</a>;
  return <NameLink name={of} />;
}

/** Detections of some filters, as a table. */
export function DetectionTable(props: {
  label: string;
  parameters: Readonly<Record<string, string>>;
  isBrief?: boolean;
  nothing: preact.ComponentChildren;
}) {
  const { label, parameters, nothing, isBrief = false } = props;
  const url = urlOf('api/v1/detections', { ...parameters, limit: isBrief ? 100 : MOST });
  const asked = useAsked(url, signal => getItems<Detection>(url, signal));
  const [current, setCurrent] = useState(-1);
  // keys may come faster than rows are drawn
  const place = useRef(-1);
  const rows = asked.data;
  useEffect(() => {
    if (isBrief || rows === undefined) return;
    const key = (event: KeyboardEvent) => {
      const { key: pressed, target, ctrlKey, metaKey } = event;
      const isElsewhere = (target as HTMLElement).closest('input, select, textarea, dialog') !== null;
      if (isElsewhere || ctrlKey || metaKey) return;
      const step = pressed === 'j' ? 1 : pressed === 'k' ? -1 : 0;
      if (step !== 0) {
        place.current = Math.max(0, Math.min(rows.length - 1, place.current + step));
        setCurrent(place.current);
      }
      const row = rows[place.current];
      const isOnControl = (target as HTMLElement).closest('button, a') !== null;
      if (pressed === 'Enter' && row !== undefined && !isOnControl) go(hrefOf(['detection', String(row.id)]));
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, [rows]);
  useEffect(
    () => document.querySelector('tr[data-current]')?.scrollIntoView({ block: 'nearest' }),
    [current],
  );
  return (
    <Answer to={asked} lines={isBrief ? 3 : 14}>
      {found =>
        found.length === 0 ? (
          nothing
        ) : (
          <Table
            label={label}
            rows={found}
            columns={columns}
            source={sourceOf(url, parameters)}
            current={current}
            first={isBrief ? 10 : 100}
          />
        )
      }
    </Answer>
  );
}

function sourceOf(url: string, parameters: Readonly<Record<string, string>>): Source {
  const conditions = Object.entries(parameters).flatMap(([name, value]) => {
    const list = value.split(',').map(quoted).join(', ');
    if (name === 'since') return `last_time >= ${quoted(value)}`;
    if (name === 'until') return `first_time < ${quoted(value)}`;
    if (name === 'muted') return value === 'all' ? [] : `mute_id is ${value === 'yes' ? 'not ' : ''}null`;
    if (value === '') return [];
    if (name === 'subject')
      return `(subject = ${quoted(dotted(value))} or is_below(subject, ${quoted(dotted(value))}))`;
    return `${name} in (${list})`;
  });
  return {
    url,
    sql: `select detection_id, kind, subject, client, first_time, last_time, score, severity, status, windows
from detection_shown
${conditions.length === 0 ? '' : `where ${conditions.join('\n  and ')}\n`}order by last_time desc, detection_id desc;`,
  };
}

const dotted = (name: string): string => (isAddress(name) || name.endsWith('.') ? name : `${name}.`);

/** Everything that was found, with filters in the address. */
export function DetectionsPage({ route: { query } }: { route: Route }) {
  const window = useWindow();
  const get = (name: string) => query.get(name) ?? '';
  const kind = get('kind');
  const severity = query.get('severity') ?? (kind === '' ? NOTABLE : '');
  const status = query.get('status') ?? OPEN;
  const muted = query.get('muted') ?? 'no';
  const set = (name: string, value: string) => go(hereWith({ [name]: value }), true);
  const kinds = useAsked('kinds', signal => getJson<{ items: { kind: string }[] }>('api/v1/kinds', signal));
  const names = kinds.data?.items.map(each => each.kind) ?? Object.keys(MEANINGS);
  const parameters = {
    ...windowParameters(window),
    kind,
    severity: severity === 'all' ? '' : severity,
    status: status === 'all' ? '' : status,
    subject: get('subject'),
    client: get('client'),
    muted,
  };
  return (
    <>
      <div class="head">
        <div>
          <h1>Detections</h1>
        </div>
        <WindowPicker />
      </div>
      <form class="row filters" onSubmit={event => event.preventDefault()}>
        <Choice
          label="Severity"
          value={severity === '' ? 'all' : severity}
          options={[
            [NOTABLE, 'Low and up'],
            ['high', 'High'],
            ['medium', 'Medium'],
            ['low', 'Low'],
            ['info', 'Info'],
            ['all', 'All'],
          ]}
          choose={value => set('severity', value)}
        />
        <Choice
          label="Kind"
          value={kind}
          options={[['', 'All'], ...names.map(each => [each, kindName(each)] as const)]}
          choose={value => set('kind', value)}
        />
        <Choice
          label="Status"
          value={status}
          options={[
            [OPEN, 'Open'],
            ['new', 'New'],
            ['acknowledged', 'Acknowledged'],
            ['closed', 'Closed'],
            ['all', 'All'],
          ]}
          choose={value => set('status', value)}
        />
        <Choice
          label="Muted"
          value={muted}
          options={[
            ['no', 'Left out'],
            ['yes', 'Only'],
            ['all', 'Too'],
          ]}
          choose={value => set('muted', value)}
        />
        <TextFilter label="Subject" value={get('subject')} choose={value => set('subject', value)} />
        <TextFilter label="Client" value={get('client')} choose={value => set('client', value)} />
      </form>
      <Panel
        title={kind === '' ? 'Found' : kindName(kind)}
        aside={
          MEANINGS[kind] ?? (
            <>
              move with <kbd>j</kbd> <kbd>k</kbd>, open with <kbd>Enter</kbd>
            </>
          )
        }
        isFlush
      >
        <DetectionTable
          label="detections"
          parameters={parameters}
          nothing={
            <Nothing title="Nothing was found that fits.">
              <p>
                <a
                  href={hrefOf(['detections'], {
                    severity: 'all',
                    status: 'all',
                    muted: 'all',
                    last: 'all',
                    from: null,
                    to: null,
                  })}
                >
                  Show everything that was ever found
                </a>
                . Detectors look at new records every minute; what they know of your network is set with{' '}
                <code>dnstrail config apply FILE</code>.
              </p>
            </Nothing>
          }
        />
      </Panel>
    </>
  );
}

function Choice(props: {
  label: string;
  value: string;
  options: readonly (readonly [string, string])[];
  choose(value: string): void;
}) {
  return (
    <label class="stack">
      {props.label}
      <select class="field" value={props.value} onChange={event => props.choose(event.currentTarget.value)}>
        {props.options.map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

function TextFilter({ label, value, choose }: { label: string; value: string; choose(value: string): void }) {
  return (
    <label class="stack">
      {label}
      <input
        class="field"
        type="text"
        spellcheck={false}
        autocapitalize="none"
        value={shownName(value)}
        onChange={event => choose(event.currentTarget.value.trim())}
        placeholder="any"
      />
    </label>
  );
}
