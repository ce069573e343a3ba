import { useEffect, useState } from 'preact/hooks';

/** Where one is: the address after `#`, so that a link to any state can be sent, and "back" works. */
export interface Route {
  /** Decoded segments of the path. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

type Query = Readonly<Record<string, string | null | undefined>>;

function routeOf(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  return { path: path.split('/').map(decoded).filter(Boolean), query: new URLSearchParams(query) };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** The address of a state. Window and other settings that belong to all pages are kept by `hereWith`. */
export function hrefOf(path: readonly string[], query: Query = {}): string {
  const kept = new URLSearchParams();
  const { query: current } = routeOf(location.hash);
  for (const key of ['last', 'from', 'to']) {
    const value = current.get(key);
    if (value !== null) kept.set(key, value);
  }
  apply(kept, query);
  const text = kept.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

/** The address of where one is, with some of its query changed; null removes. */
export function hereWith(changes: Query): string {
  const { path, query } = routeOf(location.hash);
  apply(query, changes);
  const text = query.toString();
  return `#/${path.map(encodeURIComponent).join('/')}${text === '' ? '' : `?${text}`}`;
}

function apply(query: URLSearchParams, changes: Query): void {
  for (const [key, value] of Object.entries(changes))
    if (value === null || value === undefined || value === '') query.delete(key);
    else query.set(key, value);
}

/** @param replaces whether "back" skips where one is now */
export function go(href: string, replaces = false): void {
  if (!replaces) location.hash = href;
  else {
    history.replaceState(null, '', href);
    dispatchEvent(new HashChangeEvent('hashchange'));
  }
}

/** The route; renders anew when it changes. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = () => setHash(location.hash);
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return routeOf(hash);
}
