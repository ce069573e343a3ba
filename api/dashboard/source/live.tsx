import { useEffect, useRef, useState } from 'preact/hooks';
import { type FeedEvent, follow } from './api.ts';
import { Subject } from './detections.tsx';
import { clockTime, count, kindName, utc } from './format.ts';
import { ClientLink, NameLink, Nothing, Severity, Time } from './parts.tsx';
import { hrefOf } from './route.ts';

interface DomainNews {
  readonly domain: string;
  readonly rrname: string;
  readonly time_first: string;
  readonly client: string;
  readonly resolver: string | null;
}

interface DetectionNews {
  readonly id: number;
  readonly kind: string;
  readonly subject: string;
  readonly client: string | null;
  readonly severity: string;
  readonly last_time: string;
}

interface News {
  readonly key: string;
  readonly arrived: Date;
  readonly domain?: DomainNews;
  readonly detection?: DetectionNews;
}

type Wanted = 'all' | 'domain' | 'detection';

const MOST = 200;

/** What is new, as it comes. */
export function LivePage() {
  const [news, setNews] = useState<readonly News[]>([]);
  const [isOpen, setOpen] = useState<boolean>();
  const [error, setError] = useState<string>();
  const [wanted, setWanted] = useState<Wanted>('all');
  const [isPaused, setPaused] = useState(false);
  const held = useRef<News[]>([]);
  const paused = useRef(isPaused);
  paused.current = isPaused;
  useEffect(() => {
    const gone = new AbortController();
    void follow(
      'api/v1/feed',
      {
        event: event => void held.current.unshift(...newsOf(event)),
        state(isConnected, failure) {
          setOpen(isConnected);
          setError(failure?.message);
        },
      },
      gone.signal,
    );
    // many at once are drawn together
    const timer = setInterval(() => {
      if (paused.current || held.current.length === 0) return;
      const arrived = held.current;
      held.current = [];
      setNews(before => [...arrived, ...before].slice(0, MOST));
    }, 250);
    return () => {
      gone.abort();
      clearInterval(timer);
    };
  }, []);
  const shown = news.filter(
    ({ domain, detection }) => wanted === 'all' || (wanted === 'domain' ? domain : detection) !== undefined,
  );
  return (
    <>
      <div class="head">
        <div>
          <h1>Live</h1>
        </div>
        <div class="row">
          <span class="small muted" role="status">
            <span class={`dot ${isOpen ? 'on' : ''}`} />
            {isOpen
              ? isPaused
                ? `paused, ${count(held.current.length)} waiting`
                : 'connected'
              : error === undefined
                ? 'connecting …'
                : `not connected: ${error}`}
          </span>
          <fieldset class="segments">
            <legend class="hidden">What is shown</legend>
            {(['all', 'detection', 'domain'] as const).map(each => (
              <button key={each} type="button" aria-pressed={wanted === each} onClick={() => setWanted(each)}>
                {each === 'all' ? 'All' : each === 'detection' ? 'Detections' : 'New domains'}
              </button>
            ))}
          </fieldset>
          <button type="button" class="button" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
            {isPaused ? 'Go on' : 'Pause'}
          </button>
        </div>
      </div>
      <section class="panel" aria-label="Feed">
        {shown.length === 0 ? (
          <Nothing title="Waiting for something new.">
            Registered domains that nobody here looked up before, and detections, appear as soon as the jobs
            have seen the records: within a minute or two of the traffic. What was found before is under{' '}
            <a href={hrefOf(['detections'])}>detections</a>.
          </Nothing>
        ) : (
          <ol class="feed">
            {shown.map(item => (
              <li key={item.key} class="new">
                <time class="muted" dateTime={item.arrived.toISOString()} title={utc(item.arrived)}>
                  {clockTime(item.arrived)}
                </time>
                {item.domain !== undefined && <DomainLine of={item.domain} />}
                {item.detection !== undefined && <DetectionLine of={item.detection} />}
              </li>
            ))}
          </ol>
        )}
      </section>
    </>
  );
}

function newsOf({ id, type, data }: FeedEvent): News[] {
  const shared = { key: `${id} ${type}`, arrived: new Date() };
  if (type === 'domain') return [{ ...shared, domain: data as DomainNews }];
  // each new domain is told as such already
  if (type === 'detection' && (data as DetectionNews).kind !== 'first_seen')
    return [{ ...shared, detection: data as DetectionNews }];
  return [];
}

function DomainLine({ of: { domain, rrname, client, time_first } }: { of: DomainNews }) {
  return (
    <>
      <span class="muted">New domain</span>
      <span class="line">
        <NameLink name={domain} />{' '}
        <span class="muted">
          {rrname !== domain && (
            <>
              as <NameLink name={rrname} />{' '}
            </>
          )}
          by <ClientLink client={client} />, <Time at={time_first} />
        </span>
      </span>
    </>
  );
}

function DetectionLine({ of: { id, kind, subject, client, severity, last_time } }: { of: DetectionNews }) {
  return (
    <>
      <Severity of={severity} />
      <span class="line">
        <a href={hrefOf(['detection', String(id)])}>{kindName(kind)}</a> <Subject of={subject} />{' '}
        <span class="muted">
          {client !== null && client !== subject && (
            <>
              by <ClientLink client={client} />,{' '}
            </>
          )}
          <Time at={last_time} />
        </span>
      </span>
    </>
  );
}
