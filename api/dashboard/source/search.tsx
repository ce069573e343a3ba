import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { getItems, urlOf } from './api.ts';
import { shownName } from './format.ts';
import { isAddress } from './parts.tsx';
import { go, hrefOf } from './route.ts';

/** What is offered while one types. */
interface Suggestion {
  readonly kind: string;
  readonly value: string;
}

const WAIT_MS = 90;

/** The page of whatever was typed: a name, a pattern with `*`, an address, a network, `client 10.0.0.1`. */
export function hrefFor(text: string): string {
  const typed = text.trim();
  const [, client] = /^client[: ]+(\S+)$/i.exec(typed) ?? [];
  if (client !== undefined) return hrefOf(['client', client]);
  if (isAddress(typed)) return hrefOf([typed.includes('/') ? 'network' : 'address', typed.toLowerCase()]);
  const name = typed
    .replace(/^[a-z]+:\/\//i, '')
    .replace(/[/?#].*$/, '')
    .toLowerCase();
  return hrefOf([name.includes('*') ? 'names' : 'name', shownName(name)]);
}

/** The one box. `/` or Ctrl-K goes there from anywhere. */
export function SearchBox() {
  const [text, setText] = useState('');
  const [offered, setOffered] = useState<readonly Suggestion[]>([]);
  const [chosen, setChosen] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  const list = useId();
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      const isTyping = (event.target as HTMLElement).closest('input, textarea, select, dialog') !== null;
      const isShortcut =
        (event.key === '/' && !isTyping) || (event.key === 'k' && (event.ctrlKey || event.metaKey));
      if (!isShortcut || document.querySelector('dialog[open]') !== null) return;
      event.preventDefault();
      input.current?.select();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, []);
  useEffect(() => {
    const typed = text.trim();
    if (typed.length < 2 || typed.includes('*')) return setOffered([]);
    const gone = new AbortController();
    const timer = setTimeout(() => {
      getItems<Suggestion>(urlOf('api/v1/suggest', { q: typed, limit: 6 }), gone.signal).then(
        setOffered,
        () => {},
      );
    }, WAIT_MS);
    return () => {
      gone.abort();
      clearTimeout(timer);
    };
  }, [text]);
  const open = (href: string) => {
    setText('');
    setOffered([]);
    setChosen(-1);
    input.current?.blur();
    go(href);
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === 'Escape') {
      if (offered.length > 0) setOffered([]);
      else input.current?.blur();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const places = offered.length + 1;
      setChosen(((((chosen + 1 + (event.key === 'ArrowDown' ? 1 : -1)) % places) + places) % places) - 1);
    }
  };
  const isOpen = offered.length > 0;
  return (
    <search class="search">
      <form
        onSubmit={event => {
          event.preventDefault();
          const suggestion = offered[chosen];
          if (suggestion !== undefined) open(hrefOfSuggestion(suggestion));
          else if (text.trim() !== '') open(hrefFor(text));
        }}
      >
        <input
          ref={input}
          type="text"
          role="combobox"
          aria-label="Look up a name, address, network or client"
          aria-expanded={isOpen}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={chosen < 0 ? undefined : `${list}-${chosen}`}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="Name, *.domain, address, network, client …"
          value={text}
          onInput={event => {
            setText(event.currentTarget.value);
            setChosen(-1);
          }}
          onKeyDown={key}
          onBlur={() => setTimeout(() => setOffered([]), 150)}
        />
      </form>
      <svg
        width="16"
        height="16"
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        stroke-width="1.75"
        aria-hidden="true"
      >
        <circle cx="7" cy="7" r="5" />
        <path d="m11 11 4 4" stroke-linecap="round" />
      </svg>
      <kbd>/</kbd>
      <div id={list} class="suggestions" role="listbox" aria-label="Suggestions" hidden={!isOpen}>
        {offered.map((suggestion, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are those of the box
          <div
            key={`${suggestion.kind} ${suggestion.value}`}
            id={`${list}-${i}`}
            role="option"
            aria-selected={i === chosen}
            tabIndex={-1}
            onPointerDown={event => event.preventDefault()}
            onClick={() => open(hrefOfSuggestion(suggestion))}
          >
            <span>{shownName(suggestion.value)}</span>
            <span class="muted small">{suggestion.kind}</span>
          </div>
        ))}
      </div>
    </search>
  );
}

function hrefOfSuggestion({ kind, value }: Suggestion): string {
  if (kind === 'client') return hrefOf(['client', value]);
  return hrefFor(value);
}
