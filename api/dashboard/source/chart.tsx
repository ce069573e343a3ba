import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { clockTime, moment } from './format.ts';

export interface Series {
  readonly name: string;
  /** A custom property of the style sheet, `--accent`. */
  readonly color: string;
  readonly values: readonly number[];
}

interface ChartProps {
  /** What it shows, for those who cannot see it. */
  readonly label: string;
  /** Seconds since 1970, ascending. */
  readonly times: readonly number[];
  readonly series: readonly Series[];
  readonly height: number;
  /** Drawn one upon the other. */
  readonly isStacked?: boolean;
  readonly show: (value: number) => string;
  /** Charts of one group have their cursors at the same time. */
  readonly group?: string;
  /** A span was marked with the pointer. */
  onBrush?(from: Date, to: Date): void;
}

/** A colour of the style sheet as a canvas knows it. */
function colorOf(property: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${property})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** Numbers over time. The legend above has the figures at the pointer, else the sums of all that is shown. */
export function Chart(props: ChartProps) {
  const { label, times, series, height, isStacked = false, show, group, onBrush } = props;
  const element = useRef<HTMLDivElement>(null);
  const [pointed, setAt] = useState<number | null>(null);
  // of the chart before this one there may be no such time
  const at = pointed !== null && pointed < times.length ? pointed : null;
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const changed = () => setTheme(each => each + 1);
    const system = matchMedia('(prefers-color-scheme: dark)');
    addEventListener('dnstrail-theme', changed);
    system.addEventListener('change', changed);
    return () => {
      removeEventListener('dnstrail-theme', changed);
      system.removeEventListener('change', changed);
    };
  }, []);
  // drawn anew for other data or colours
  useEffect(() => {
    const target = element.current;
    if (target === null) return;
    const [text, line] = [colorOf('--muted'), colorOf('--line')];
    const axis = {
      stroke: text,
      font: '12px system-ui, sans-serif',
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
    };
    const drawn = isStacked ? stacked(series) : series.map(({ values }) => values);
    const plot = new uPlot(
      {
        width: target.clientWidth,
        height,
        padding: [8, 40, 0, 0],
        legend: { show: false },
        cursor: {
          y: false,
          points: { size: 6 },
          drag: { x: onBrush !== undefined, y: false, setScale: false },
          ...(group !== undefined && { sync: { key: group } }),
        },
        scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.08, 1e-9)] } },
        axes: [
          { ...axis, size: 30, space: 70, values: timeTexts },
          { ...axis, size: 52, space: 36, values: (_, splits) => splits.map(show) },
        ],
        series: [
          {},
          ...series.map(({ name, color }) => {
            const stroke = colorOf(color);
            return {
              label: name,
              stroke,
              width: isStacked ? 0.5 : 1.5,
              fill: isStacked ? stroke : stroke.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.12)'),
              points: { show: false },
              ...(isStacked && uPlot.paths.stepped && { paths: uPlot.paths.stepped({ align: 1 }) }),
            };
          }),
        ],
        hooks: {
          setCursor: [({ cursor }) => setAt(cursor.idx ?? null)],
          setSelect: [
            chart => {
              const { left, width } = chart.select;
              if (width < 6) return;
              const [from, to] = [left, left + width].map(position => chart.posToVal(position, 'x') * 1000);
              chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              onBrush?.(new Date(from!), new Date(to!)); // of two positions
            },
          ],
        },
      },
      [times as number[], ...(drawn as number[][])], // it does not write to them
      target,
    );
    const resized = new ResizeObserver(() => {
      if (target.clientWidth !== plot.width) plot.setSize({ width: target.clientWidth, height });
    });
    resized.observe(target);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [times, series, theme, height]);
  const sums = series.map(({ values }) => values.reduce((sum, value) => sum + value, 0));
  return (
    <figure>
      <figcaption class="legend">
        {series.map(({ name, color, values }, i) => (
          <span key={name}>
            <i style={{ background: `var(${color})` }} />
            {name}{' '}
            <b>
              {show(
                at === null ? sums[i]! / (isStacked ? 1 : Math.max(1, values.length)) : (values[at] ?? 0),
              )}
            </b>
          </span>
        ))}
        <span>
          {at === null ? (isStacked ? 'in all' : 'on average') : `at ${moment(new Date(times[at]! * 1000))}`}
        </span>
      </figcaption>
      <div class="chart" style={{ minHeight: `${height}px` }} ref={element} role="img" aria-label={label} />
    </figure>
  );
}

/** Each series on top of those after it, so that the first, drawn first, reaches highest. */
function stacked(series: readonly Series[]): number[][] {
  const sums: number[][] = [];
  for (const { values } of series.toReversed()) {
    const below = sums[0];
    sums.unshift(values.map((value, i) => value + (below?.[i] ?? 0)));
  }
  return sums;
}

/** As short as tells them apart. */
function timeTexts(_: uPlot, splits: number[]): string[] {
  const step = (splits[1] ?? 0) - (splits[0] ?? 0);
  return splits.map(split => {
    const time = new Date(split * 1000);
    if (step >= 86_400)
      return time.toLocaleDateString(undefined, { weekday: 'short', day: 'numeric', month: 'short' });
    if (step >= 60 && time.getHours() + time.getMinutes() === 0)
      return time.toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
    return step < 60 ? clockTime(time) : clockTime(time).slice(0, 5);
  });
}
