import { createContext } from 'preact';
import { useContext, useState } from 'preact/hooks';
import { moment, utc } from './format.ts';
import { Dialog } from './parts.tsx';
import { go, hereWith, type Route } from './route.ts';

/** The time span that a page is about. It ends now, or where the newest records end when they are older. */
export interface Window {
  readonly since: Date;
  readonly until: Date;
  /** `24h` and so on; undefined: from and to were chosen. */
  readonly last: string | undefined;
}

/** When the first and the newest records went by; null: there are none. */
export interface Extent {
  readonly time_first: string | null;
  readonly time_last: string | null;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SPANS: Readonly<Record<string, number>> = {
  '1h': HOUR,
  '24h': 24 * HOUR,
  '7d': 7 * 24 * HOUR,
  '30d': 30 * 24 * HOUR,
};
const DEFAULT = '7d';

/** The window that an address asks for. */
export function windowOf({ query }: Route, { time_first, time_last }: Extent): Window {
  const [from, to] = ['from', 'to'].map(key => Date.parse(query.get(key) ?? ''));
  if (from !== undefined && to !== undefined && from < to)
    return { since: new Date(from), until: new Date(to), last: undefined };
  const now = Date.now();
  const newest = time_last === null ? now : Date.parse(time_last) + MINUTE;
  const until = Math.ceil((now - newest < HOUR ? now : newest) / MINUTE) * MINUTE;
  const asked = query.get('last') ?? DEFAULT;
  const last = asked === 'all' || SPANS[asked] !== undefined ? asked : DEFAULT;
  const first = time_first === null ? until - SPANS['24h']! : Date.parse(time_first); // it is among them
  const since = last === 'all' ? Math.min(first, until - HOUR) : until - SPANS[last]!; // it is among them, or all
  return { since: new Date(since), until: new Date(until), last };
}

/** `since` and `until` as the API takes them. */
export const windowParameters = ({ since, until }: Window) => ({
  since: since.toISOString(),
  until: until.toISOString(),
});

export const WindowContext = createContext<Window>({ since: new Date(0), until: new Date(0), last: DEFAULT });
export const useWindow = (): Window => useContext(WindowContext);

/** Goes to another window, and stays on the page. */
export function chooseWindow(since: Date, until: Date): void {
  go(hereWith({ last: null, from: since.toISOString(), to: until.toISOString() }));
}

/** What time the page is about, and the way to another. */
export function WindowPicker() {
  const { since, until, last } = useWindow();
  const [isOpen, setOpen] = useState(false);
  return (
    <div class="row">
      <span class="small muted" title={`${utc(since)} to ${utc(until)}`}>
        {moment(since)} – {moment(until)}
      </span>
      <nav class="segments" aria-label="Time">
        {[...Object.keys(SPANS), 'all'].map(span => (
          <a
            key={span}
            href={hereWith({ last: span === DEFAULT ? null : span, from: null, to: null })}
            aria-current={span === last ? 'true' : undefined}
          >
            {span}
          </a>
        ))}
        <button type="button" aria-pressed={last === undefined} onClick={() => setOpen(true)}>
          Other…
        </button>
      </nav>
      {isOpen && <OtherWindow close={() => setOpen(false)} />}
    </div>
  );
}

function OtherWindow({ close }: { close(): void }) {
  const { since, until } = useWindow();
  const [from, setFrom] = useState(localText(since));
  const [to, setTo] = useState(localText(until));
  const isValid = Date.parse(from) < Date.parse(to);
  return (
    <Dialog title="From when to when" close={close}>
      <form
        onSubmit={event => {
          event.preventDefault();
          close();
          chooseWindow(new Date(from), new Date(to));
        }}
      >
        <label class="stack">
          From
          <input
            class="field"
            type="datetime-local"
            value={from}
            onInput={event => setFrom(event.currentTarget.value)}
          />
        </label>
        <label class="stack">
          To
          <input
            class="field"
            type="datetime-local"
            value={to}
            onInput={event => setTo(event.currentTarget.value)}
          />
        </label>
        {!isValid && <p class="error">The end has to be after the beginning.</p>}
        <button type="submit" class="button primary" disabled={!isValid}>
          Show
        </button>
      </form>
    </Dialog>
  );
}

/** As inputs of dates have it: local, without zone. */
function localText(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * MINUTE).toISOString().slice(0, 16);
}
