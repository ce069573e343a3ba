import { count, duration, moment, shownName } from './format.ts';
import { hrefOf } from './route.ts';
import { useWidth } from './width.ts';

/** A row of any answer. */
export type Row = Readonly<Record<string, unknown>>;

const LEFT = 8;
const MOST_LANES = 14;

/** Something seen at a time, or from a time to another. */
interface Mark {
  readonly from: number;
  readonly to: number;
  readonly lane: string;
  /** How much of it, for how dark it is. */
  readonly weight?: number;
  /** Of the kind that is to stand out. */
  readonly isOdd?: boolean;
}

const timeOf = (value: unknown): number => Date.parse(String(value));
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : Number(value ?? 0) || 0);

/** The picture that fits a kind of detection, made of the rows behind it; null where these hold nothing to draw. */
export function pictureOf(
  kind: string,
  subject: string,
  client: string | null,
  rows: readonly Row[],
  evidence: Row,
) {
  if (kind === 'rogue_resolver')
    return <ResolverMap client={client ?? '?'} rogue={subject} evidence={evidence} />;
  if (rows.length === 0) return null;
  if (kind === 'beaconing')
    return <Heartbeat times={rows.map(row => timeOf(row.time))} period={numberOf(evidence.median_seconds)} />;
  if (rows.some(row => typeof row.rdata_ip === 'string' || isAddressRecord(row)))
    return <AddressesOverTime rows={rows} />;
  if (rows.some(row => 'time_last' in row))
    return (
      <Lanes
        label="Who asked, and when"
        marks={rows.map(row => ({
          from: timeOf(row.time_first),
          to: timeOf(row.time_last),
          lane: String(row.client ?? row.rrname),
          weight: numberOf(row.count),
        }))}
      />
    );
  if (rows.some(row => 'time_first' in row)) return <Histogram rows={rows} />;
  if (rows.some(row => 'names' in row && 'client' in row)) return <Bars rows={rows} />;
  return null;
}

const isAddressRecord = (row: Row): boolean => row.rrtype === 1 || row.rrtype === 28;

function spanOf(times: readonly number[]): readonly [number, number] {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const time of times) {
    from = Math.min(from, time);
    to = Math.max(to, time);
  }
  return to - from < 60_000 ? [from - 30_000, to + 30_000] : [from, to];
}

/** The times at both ends and in the middle. */
function TimeAxis(props: { from: number; to: number; y: number; width: number; left?: number }) {
  const { from, to, y, width, left = LEFT } = props;
  const parts = width - left < 300 ? [0, 1] : [0, 0.5, 1];
  return (
    <>
      {parts.map(part => (
        <text
          key={part}
          x={left + part * (width - left - LEFT)}
          y={y}
          text-anchor={part === 0 ? 'start' : part === 1 ? 'end' : 'middle'}
        >
          {moment(new Date(from + part * (to - from)))}
        </text>
      ))}
    </>
  );
}

/** Each address a line, each sighting a dot: flux is a rising cloud, a steady name a few long lines. */
function AddressesOverTime({ rows }: { rows: readonly Row[] }) {
  const [frame, width] = useWidth();
  const sightings = rows.flatMap(row => {
    const address = row.rdata_ip ?? (isAddressRecord(row) ? row.rdata : undefined);
    return typeof address === 'string' ? [{ at: timeOf(row.time), address }] : [];
  });
  const addresses = [...new Set(sightings.toSorted((a, b) => a.at - b.at).map(({ address }) => address))];
  const place = new Map(addresses.map((address, i) => [address, i]));
  const [from, to] = spanOf(sightings.map(({ at }) => at));
  const height = Math.min(240, 24 + addresses.length * (addresses.length > 30 ? 3.4 : 16));
  const isNamed = addresses.length <= 12;
  const left = isNamed ? 150 : LEFT;
  const x = (at: number) => left + 4 + ((at - from) / (to - from)) * (width - left - LEFT - 8);
  const y = (address: string) => 8 + ((place.get(address)! + 0.5) / addresses.length) * (height - 16);
  return (
    <svg
      ref={frame}
      class="picture"
      height={height + 20}
      aria-label={`${addresses.length} addresses from ${moment(new Date(from))} to ${moment(new Date(to))}, in the order in which they came up`}
    >
      <line class="tick" x1={left} x2={width - LEFT} y1={height} y2={height} />
      {isNamed &&
        addresses.map(address => (
          <g key={address}>
            <line class="tick" x1={left} x2={width - LEFT} y1={y(address)} y2={y(address)} />
            <a href={hrefOf(['address', address])} tabIndex={-1}>
              <text x={left - 10} y={y(address) + 4} text-anchor="end">
                {address}
              </text>
            </a>
          </g>
        ))}
      {sightings.map(({ at, address }, i) => (
        <circle
          key={i}
          cx={x(at)}
          cy={y(address)}
          r={isNamed ? 3.5 : 2.2}
          fill={isPrivate(address) ? 'var(--high)' : 'var(--accent)'}
          fill-opacity="0.75"
        />
      ))}
      <TimeAxis width={width} from={from} to={to} y={height + 16} left={left} />
    </svg>
  );
}

const isPrivate = (address: string): boolean =>
  /^(?:10\.|127\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|f[cd]|fe80|::1)/i.test(address);

/** A line for each so many beats of the period, one under the other: what is regular stands in columns. */
function Heartbeat({ times, period }: { times: readonly number[]; period: number }) {
  const [frame, width] = useWidth();
  const ordered = times.filter(time => !Number.isNaN(time)).toSorted((a, b) => a - b);
  const first = ordered[0];
  if (first === undefined) return null;
  const lineMs = Math.max(60, period * 12) * 1000;
  const lanes = Math.min(48, Math.floor((ordered.at(-1)! - first) / lineMs) + 1);
  const line = lanes > 24 ? 7 : 12;
  const height = lanes * line;
  return (
    <svg
      ref={frame}
      class="picture"
      height={height + 22}
      role="img"
      aria-label={`${ordered.length} lookups; each line is ${duration(lineMs / 1000)}, about every ${duration(period)} one`}
    >
      {Array.from({ length: lanes }, (_, i) => (
        <line
          key={i}
          class="tick"
          x1={LEFT}
          x2={width - LEFT}
          y1={i * line + line / 2 + 2}
          y2={i * line + line / 2 + 2}
        />
      ))}
      {ordered.map((time, i) => {
        const lane = Math.floor((time - first) / lineMs);
        if (lane >= lanes) return null;
        const x = LEFT + 2 + ((time - first - lane * lineMs) / lineMs) * (width - 2 * LEFT - 4);
        return (
          <rect
            key={i}
            x={x - 1.5}
            y={lane * line + 2}
            width="3"
            height={line - 1}
            rx="1"
            fill="var(--accent)"
          />
        );
      })}
      <text x={LEFT} y={height + 18}>
        {`each line ${duration(lineMs / 1000)}`}
      </text>
      <text x={width - LEFT} y={height + 18} text-anchor="end">
        {`about every ${duration(period)}`}
      </text>
    </svg>
  );
}

/** One line for each of some things, with when it was seen. */
export function Lanes(props: {
  label: string;
  marks: readonly Mark[];
  most?: number;
  href?: (lane: string) => string;
}) {
  const { label, marks, most = MOST_LANES, href } = props;
  const [frame, width] = useWidth();
  const lanes = [...new Set(marks.toSorted((a, b) => a.from - b.from).map(({ lane }) => lane))];
  const shown = lanes.slice(0, most);
  const [from, to] = spanOf(marks.flatMap(mark => [mark.from, mark.to]));
  const left = Math.min(240, width * 0.38);
  const x = (at: number) => left + ((at - from) / (to - from)) * (width - left - LEFT);
  const height = shown.length * 20 + 6;
  return (
    <>
      <svg
        ref={frame}
        class="picture"
        height={height + 18}
        aria-label={`${label}: ${lanes.length} from ${moment(new Date(from))} to ${moment(new Date(to))}`}
      >
        {shown.map((lane, i) => (
          <g key={lane}>
            <line class="tick" x1={left} x2={width - LEFT} y1={i * 20 + 12} y2={i * 20 + 12} />
            <a href={href?.(lane) ?? hrefOf(['client', lane])} tabIndex={-1}>
              <text x={left - 10} y={i * 20 + 16} text-anchor="end">
                <title>{lane}</title>
                {cut(shownName(lane), (left - 20) / 6.4)}
              </text>
            </a>
          </g>
        ))}
        {marks.map((mark, i) => {
          const lane = shown.indexOf(mark.lane);
          if (lane < 0) return null;
          const begin = x(mark.from);
          return (
            <rect
              key={i}
              x={begin - 2}
              y={lane * 20 + 7}
              width={Math.max(4, x(mark.to) - begin + 4)}
              height="10"
              rx="3"
              fill={mark.isOdd ? 'var(--high)' : 'var(--accent)'}
              fill-opacity="0.8"
            />
          );
        })}
        <TimeAxis width={width} from={from} to={to} y={height + 14} left={left} />
      </svg>
      {lanes.length > shown.length && (
        <p class="muted small">and {count(lanes.length - shown.length)} more</p>
      )}
    </>
  );
}

/** The beginning of a text that has room for so many letters. */
function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, Math.max(4, most - 1))}…` : text;
}

/** How much was looked up in each part of the time. */
function Histogram({ rows }: { rows: readonly Row[] }) {
  const [frame, width] = useWidth();
  const marks = rows
    .map(row => ({ at: timeOf(row.time_first), n: Math.max(1, numberOf(row.asked ?? row.nxdomain)) }))
    .filter(({ at }) => !Number.isNaN(at));
  const [from, to] = spanOf(marks.map(({ at }) => at));
  const parts = new Array<number>(60).fill(0);
  for (const { at, n } of marks) parts[Math.min(59, Math.floor((60 * (at - from)) / (to - from)))]! += n; // one of sixty
  const most = Math.max(...parts);
  const height = 110;
  const step = (width - 2 * LEFT) / 60;
  return (
    <svg
      ref={frame}
      class="picture"
      height={height + 20}
      role="img"
      aria-label={`Lookups over time: ${count(most)} at most in ${duration((to - from) / 60_000)}`}
    >
      <line class="tick" x1={LEFT} x2={width - LEFT} y1={height} y2={height} />
      {parts.map((n, i) => (
        <rect
          key={i}
          x={LEFT + i * step + 0.75}
          width={Math.max(1, step - 1.5)}
          y={height - (n / most) * (height - 16)}
          height={(n / most) * (height - 16)}
          rx="1.5"
          fill="var(--accent)"
        />
      ))}
      <text x={LEFT} y="10">{`${count(most)} at most in ${duration((to - from) / 60_000)}`}</text>
      <TimeAxis width={width} from={from} to={to} y={height + 16} />
    </svg>
  );
}

/** How many names each client asked for. */
function Bars({ rows }: { rows: readonly Row[] }) {
  const shown = rows.slice(0, 10);
  const most = Math.max(...shown.map(({ names }) => numberOf(names)), 1);
  return (
    <ol class="ranks flushed">
      {shown.map(row => (
        <li key={String(row.client)}>
          <span class="bar" style={{ width: `${(100 * numberOf(row.names)) / most}%` }} />
          <span>
            <a href={hrefOf(['client', String(row.client)])}>{String(row.client)}</a>
          </span>
          <span>{count(numberOf(row.names))} names</span>
        </li>
      ))}
    </ol>
  );
}

/** The client, the resolver it used, and below those it may use. */
function ResolverMap({ client, rogue, evidence }: { client: string; rogue: string; evidence: Row }) {
  const [frame, width] = useWidth();
  const listOf = (value: unknown) => (Array.isArray(value) ? value.map(String) : []);
  const approved = listOf(evidence.approved_resolvers).slice(0, 5);
  const ways = listOf(evidence.ways).join(', ');
  const isTooUsed = evidence.uses_approved_resolvers_too === true;
  const [begin, end] = [20, Math.min(340, width * 0.34)];
  const lineOf = (i: number) => 24 + i * 34;
  const bend = (y: number) =>
    `M${begin} ${lineOf(0)} C ${end * 0.6} ${lineOf(0)} ${end * 0.3} ${y} ${end} ${y}`;
  return (
    <svg
      ref={frame}
      class="picture"
      height={lineOf(approved.length) + 20}
      aria-label={`${client} asks ${rogue} (${ways}), which is not approved${isTooUsed ? ', beside approved resolvers' : ''}`}
    >
      {approved.map((address, i) => {
        const y = lineOf(i + 1);
        return (
          <g key={address}>
            <path
              d={bend(y)}
              class="tick"
              fill="none"
              stroke-width="2"
              stroke-dasharray={isTooUsed ? undefined : '2 6'}
            />
            <circle cx={end} cy={y} r="5" fill="var(--low)" />
            <text x={end + 14} y={y + 4}>
              {`${address}, approved`}
            </text>
          </g>
        );
      })}
      <path d={bend(lineOf(0))} fill="none" stroke="var(--high)" stroke-width="3" />
      <circle cx={begin} cy={lineOf(0)} r="8" fill="var(--accent)" />
      <text x={begin - 8} y={lineOf(0) - 14}>
        {client}
      </text>
      <circle cx={end} cy={lineOf(0)} r="7" fill="var(--high)" />
      <a href={hrefOf([/[a-z]\.$/.test(rogue) ? 'name' : 'address', shownName(rogue)])} tabIndex={-1}>
        <text x={end + 14} y={lineOf(0) + 4}>
          {`${shownName(rogue)}${ways === '' ? '' : ` by ${ways}`}`}
        </text>
      </a>
    </svg>
  );
}
