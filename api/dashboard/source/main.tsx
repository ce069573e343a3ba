import { type ComponentChildren, render } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { AddressPage } from './address.tsx';
import { setKey, useAsked } from './api.ts';
import { ClientPage } from './client.tsx';
import { DetectionPage } from './detection.tsx';
import { DetectionsPage } from './detections.tsx';
import { GraphPage } from './graph.tsx';
import { readExtent } from './ingest.tsx';
import { LivePage } from './live.tsx';
import { NamePage } from './name.tsx';
import { NamesPage } from './names.tsx';
import { NetworkPage } from './network.tsx';
import { OverviewPage } from './overview.tsx';
import { Dialog, Nothing } from './parts.tsx';
import { hrefOf, type Route, useRoute } from './route.ts';
import { SearchBox } from './search.tsx';
import { type Extent, WindowContext, windowOf } from './window.tsx';

const THEME = 'dnstrail-theme';
const NOTHING_YET: Extent = { time_first: null, time_last: null };

const pages: readonly { path: string; title: string; icon: ComponentChildren }[] = [
  { path: 'overview', title: 'Overview', icon: <path d="M2 13V8m4 5V3m4 10V6m4 7V9" /> },
  { path: 'detections', title: 'Detections', icon: <path d="M8 2 1.5 13.5h13L8 2Zm0 4.5V10m0 1.8v.2" /> },
  {
    path: 'graph',
    title: 'Graph',
    icon: (
      <path d="M4 4.5a1.5 1.5 0 1 0-.01 0M12 4.5a1.5 1.5 0 1 0-.01 0M8 14.500a1.5 1.5 0 1 0-.01 0M5 4.5 7.5 11M11.5 4.5 8.8 11" />
    ),
  },
  { path: 'live', title: 'Live', icon: <path d="M1 8h3l2-5 4 10 2-5h3" /> },
];
/** Of which page each kind of thing is a part. */
const TITLES: Readonly<Record<string, string>> = {
  detection: 'Detection',
  name: 'Name',
  names: 'Names',
  address: 'Address',
  network: 'Network',
  client: 'Client',
};

function App() {
  const route = useRoute();
  const extent = useAsked('extent', signal => readExtent(signal));
  const [first = 'overview', subject] = route.path;
  const main = useRef<HTMLElement>(null);
  const isFirst = useRef(true);
  const title = pages.find(({ path }) => path === first)?.title ?? TITLES[first] ?? 'Nothing here';
  const place = route.path.join('/');
  // each place is a new page to readers of screens
  useEffect(() => {
    document.title = `${subject ?? title} · dnstrail`;
    if (isFirst.current) isFirst.current = false;
    else {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
  }, [place]);
  const isKnown = extent.data !== undefined || extent.error !== undefined;
  return (
    <WindowContext.Provider value={windowOf(route, extent.data ?? NOTHING_YET)}>
      <button type="button" class="skip button" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <div>
          <a class="brand" href={hrefOf(['overview'])}>
            <svg width="22" height="16" viewBox="0 0 22 16" fill="none" aria-hidden="true">
              <path
                d="M2 13c6 0 4-10 9-10s3 10 9 10"
                stroke="currentColor"
                stroke-width="2.6"
                stroke-linecap="round"
              />
            </svg>
            dnstrail
          </a>
          <nav class="nav" aria-label="Pages">
            {pages.map(({ path, title, icon }) => (
              <a
                key={path}
                href={hrefOf([path])}
                aria-current={first === path || `${first}s` === path ? 'page' : undefined}
              >
                <svg
                  width="18"
                  height="18"
                  viewBox="0 0 16 16"
                  fill="none"
                  stroke="currentColor"
                  stroke-width="1.5"
                  stroke-linecap="round"
                  stroke-linejoin="round"
                  aria-hidden="true"
                >
                  {icon}
                </svg>
                {title}
              </a>
            ))}
          </nav>
          <SearchBox />
          <ThemeButton />
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {isKnown && (
          <div class="page" key={place}>
            <Page
              route={route}
              first={first}
              subject={subject}
              hasRecords={extent.data?.time_last !== null}
            />
          </div>
        )}
      </main>
      <KeyDialog />
    </WindowContext.Provider>
  );
}

function Page({
  route,
  first,
  subject,
  hasRecords,
}: {
  route: Route;
  first: string;
  subject: string | undefined;
  hasRecords: boolean;
}) {
  if (first === 'overview') return <OverviewPage hasRecords={hasRecords} />;
  if (first === 'detections') return <DetectionsPage route={route} />;
  if (first === 'graph') return <GraphPage start={subject} />;
  if (first === 'live') return <LivePage />;
  if (subject !== undefined) {
    const text = route.path.slice(1).join('/');
    if (first === 'detection') return <DetectionPage id={subject} />;
    if (first === 'name') return <NamePage name={subject} />;
    if (first === 'names') return <NamesPage pattern={subject} />;
    if (first === 'address') return <AddressPage address={subject} />;
    if (first === 'network') return <NetworkPage network={text} />;
    if (first === 'client') return <ClientPage client={subject} />;
  }
  return (
    <Nothing title="There is nothing at this address.">
      <a href={hrefOf(['overview'])}>Go to the overview</a>, or look something up above.
    </Nothing>
  );
}

/** Light, dark, or what the system has. */
function ThemeButton() {
  const [theme, setTheme] = useState(localStorage.getItem(THEME) ?? 'system');
  useEffect(() => {
    if (theme === 'system') {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem(THEME);
    } else {
      document.documentElement.dataset.theme = theme;
      localStorage.setItem(THEME, theme);
    }
    dispatchEvent(new Event('dnstrail-theme'));
  }, [theme]);
  const next = theme === 'system' ? 'light' : theme === 'light' ? 'dark' : 'system';
  return (
    <button
      type="button"
      class="button quiet theme"
      title={`Colours: ${theme}`}
      aria-label={`Colours: ${theme}. Change to ${next}`}
      onClick={() => setTheme(next)}
    >
      <svg
        width="18"
        height="18"
        viewBox="0 0 18 18"
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
        aria-hidden="true"
      >
        <circle cx="9" cy="9" r="6.5" />
        {theme === 'system' && <path d="M9 2.500a6.5 6.5 0 0 1 0 13Z" fill="currentColor" />}
        {theme === 'dark' && <circle cx="9" cy="9" r="6.5" fill="currentColor" />}
      </svg>
    </button>
  );
}

/** Asks for a key once the server wants one. */
function KeyDialog() {
  const [isWanted, setWanted] = useState(false);
  const [text, setText] = useState('');
  useEffect(() => {
    const wanted = () => setWanted(true);
    addEventListener('dnstrail-wants-key', wanted);
    return () => removeEventListener('dnstrail-wants-key', wanted);
  }, []);
  if (!isWanted) return null;
  return (
    <Dialog title="This dnstrail wants a key" close={() => setWanted(false)}>
      <form
        onSubmit={event => {
          event.preventDefault();
          setWanted(false);
          setKey(text.trim());
        }}
      >
        <p class="muted">
          Who runs it gives you one: <code>dnstrail keys add NAME</code>. It is kept until you close this tab.
        </p>
        <label class="stack">
          Key
          <input
            class="field"
            type="password"
            autocomplete="off"
            value={text}
            onInput={event => setText(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button primary" disabled={text.trim() === ''}>
          Use it
        </button>
      </form>
    </Dialog>
  );
}

render(<App />, document.getElementById('app')!); // index.html has it
