import { getItems, urlOf, useAsked } from './api.ts';
import { count, duration, moment } from './format.ts';
import { Answer } from './parts.tsx';
import { useWidth } from './width.ts';

interface Record {
  readonly time: string;
  readonly ttl: number | null;
  readonly section: number;
}

interface Hour {
  readonly hour: string;
  readonly ttl_min: number | null;
  readonly ttl_median: number | null;
}

const HALF_HOUR_MS = 1_800_000;
const HEIGHT = 150;
const LEFT = 56;
const MOST = 500;

/**
 * The TTLs of a name's records over time; where there are too many, the least and the median of each hour before the newest
 * ones. What resolvers hand on counts down; the upper edge is what the zone says.
 */
export function TtlHistory({ name, window }: { name: string; window: { since: string; until: string } }) {
  const url = urlOf('api/v1/records', { name, ...window, limit: MOST });
  const hoursUrl = urlOf(`api/v1/names/${encodeURIComponent(name)}/history`, { ...window, limit: 10_000 });
  const asked = useAsked(url, async signal => {
    const records = await getItems<Record>(url, signal);
    return { records, hours: records.length < MOST ? [] : await getItems<Hour>(hoursUrl, signal) };
  });
  return (
    <Answer to={asked} lines={5}>
      {({ records, hours }) => {
        const dots = records.flatMap(({ time, ttl, section }) =>
          ttl === null || section === 0 ? [] : [{ at: Date.parse(time), ttl }],
        );
        const oldest = Math.min(...dots.map(({ at }) => at));
        for (const { hour, ttl_min, ttl_median } of hours) {
          const at = Date.parse(hour) + HALF_HOUR_MS;
          for (const ttl of [ttl_min, ttl_median]) if (ttl !== null && at < oldest) dots.push({ at, ttl });
        }
        if (dots.length === 0) return <p class="muted">No record of it in this time.</p>;
        return <Dots dots={dots} />;
      }}
    </Answer>
  );
}

interface Dot {
  readonly at: number;
  readonly ttl: number;
}

function Dots({ dots }: { dots: readonly Dot[] }) {
  const [frame, width] = useWidth();
  const most = Math.max(...dots.map(({ ttl }) => ttl), 1);
  const least = Math.min(...dots.map(({ ttl }) => ttl));
  const from = Math.min(...dots.map(({ at }) => at));
  const to = Math.max(...dots.map(({ at }) => at), from + 60_000);
  const x = (at: number) => LEFT + ((at - from) / (to - from)) * (width - LEFT - 8);
  const y = (ttl: number) => HEIGHT - 4 - (ttl / most) * (HEIGHT - 18);
  return (
    <svg
      ref={frame}
      class="picture"
      height={HEIGHT + 20}
      role="img"
      aria-label={`TTLs from ${duration(least)} to ${duration(most)} at ${count(dots.length)} points`}
    >
      {[0, 0.5, 1].map(part => (
        <g key={part}>
          <line class="tick" x1={LEFT} x2={width - 8} y1={y(part * most)} y2={y(part * most)} />
          <text x={LEFT - 8} y={y(part * most) + 4} text-anchor="end">
            {duration(part * most)}
          </text>
        </g>
      ))}
      {dots.map(({ at, ttl }, i) => (
        <circle key={i} cx={x(at)} cy={y(ttl)} r="2.4" fill="var(--accent)" fill-opacity="0.6" />
      ))}
      <text x={LEFT} y={HEIGHT + 16}>
        {moment(new Date(from))}
      </text>
      <text x={width - 8} y={HEIGHT + 16} text-anchor="end">
        {moment(new Date(to))}
      </text>
    </svg>
  );
}
