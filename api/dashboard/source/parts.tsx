import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Asked } from './api.ts';
import { exactMoment, moment, shownName, utc } from './format.ts';
import { hrefOf } from './route.ts';

/** A time in the user's zone, to the minute or second; UTC when one points at it. */
export function Time({ at, isExact = false }: { at: string | Date | null | undefined; isExact?: boolean }) {
  if (at === null || at === undefined) return <span class="muted">–</span>;
  const time = new Date(at);
  return (
    <time dateTime={time.toISOString()} title={utc(time)}>
      {isExact ? exactMoment(time) : moment(time)}
    </time>
  );
}

/** A name that leads to its page. */
export function NameLink({ name }: { name: string }) {
  return (
    <a class="value" href={hrefOf(['name', shownName(name)])}>
      {shownName(name)}
    </a>
  );
}

/** An address that leads to the page of what has it. */
export function AddressLink({ address }: { address: string }) {
  return (
    <a class="nowrap" href={hrefOf([address.includes('/') ? 'network' : 'address', address])}>
      {address}
    </a>
  );
}

/** A client that leads to its page. */
export function ClientLink({ client }: { client: string }) {
  return (
    <a class="nowrap" href={hrefOf(['client', client])}>
      {client}
    </a>
  );
}

const ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]*:[0-9a-f:.]+)(?:\/\d{1,3})?$/i;
const NAME = /^(?=.*[a-z0-9])(?:[^\s"]+\.)+$|^\.$/i;

/** Whether a text is an address or a network. */
export const isAddress = (text: string): boolean => ADDRESS.test(text);

/** Any value of DNS: addresses and names in it are links (`10 mail.example.com.`), but not in quoted text. */
export function Value({ text, isClient = false }: { text: string; isClient?: boolean }) {
  if (text.startsWith('"')) return <span class="value">{text}</span>;
  const parts = text.split(' ').map((part, i) => {
    if (isAddress(part))
      return isClient ? <ClientLink key={i} client={part} /> : <AddressLink key={i} address={part} />;
    return NAME.test(part) ? <NameLink key={i} name={part} /> : part;
  });
  if (parts.length === 1 && typeof parts[0] !== 'string') return <>{parts[0]}</>;
  return <span class="value">{parts.flatMap((part, i) => (i === 0 ? [part] : [' ', part]))}</span>;
}

export function Severity({ of }: { of: string }) {
  return <span class={`severity ${of}`}>{of.charAt(0).toUpperCase() + of.slice(1)}</span>;
}

export function Score({ of }: { of: number }) {
  return (
    <span class="score">
      <span class="meter">
        <span style={{ width: `${of}%` }} />
      </span>
      {Math.round(of)}
    </span>
  );
}

/** A titled area of a page. */
export function Panel(props: {
  title: string;
  aside?: ComponentChildren;
  actions?: ComponentChildren;
  isFlush?: boolean;
  class?: string;
  children: ComponentChildren;
}) {
  const { title, aside, actions, isFlush = false, children } = props;
  const id = useId();
  return (
    <section class={`panel ${props.class ?? ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>
          {title} {aside !== undefined && <small>{aside}</small>}
        </h2>
        {actions}
      </header>
      <div class={isFlush ? 'body flush' : 'body'}>{children}</div>
    </section>
  );
}

/**
 * What a question came to: bones of the height to come while there is nothing, the answer (paler while a newer one is on
 * its way), or what went wrong and a way to try again.
 */
export function Answer<T>(props: { to: Asked<T>; lines?: number; children: (data: T) => ComponentChildren }) {
  const { to, lines = 6, children } = props;
  if (to.error !== undefined && !to.loading)
    return (
      <div class="note" role="alert">
        <p class="error">
          <strong>That did not work.</strong> {to.error.message}
        </p>
        <button type="button" class="button" onClick={to.retry}>
          Try again
        </button>
      </div>
    );
  if (to.data === undefined)
    return (
      <div class="bones" aria-busy="true">
        <span class="hidden">Loading</span>
        {Array.from({ length: lines }, (_, i) => (
          <div key={i} class="bone" style={{ width: `${92 - ((i * 37) % 45)}%` }} />
        ))}
      </div>
    );
  return (
    <div class={to.loading ? 'loading' : undefined} aria-busy={to.loading}>
      {children(to.data)}
    </div>
  );
}

/** Says that there is nothing, and what to do about it. */
export function Nothing({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="note">
      <p>
        <strong>{title}</strong>
      </p>
      {children !== undefined && <div>{children}</div>}
    </div>
  );
}

/** A dialog over the page; Escape closes it. */
export function Dialog(props: { title: string; close(): void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    if (dialog !== null && !dialog.open) dialog.showModal();
  }, []);
  return (
    <dialog ref={element} aria-labelledby={id} onClose={props.close}>
      <div class="form">
        <div class="row spread">
          <h2 id={id}>{props.title}</h2>
          <button type="button" class="button quiet" onClick={() => element.current?.close()}>
            Close
          </button>
        </div>
        {props.children}
      </div>
    </dialog>
  );
}

/** A text to take along. */
export function Copyable({ label, text }: { label: string; text: string }) {
  const [state, setState] = useState<'copied' | 'selected'>();
  const element = useRef<HTMLPreElement>(null);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setState('copied'),
      () => {
        getSelection()?.selectAllChildren(element.current!); // it is shown beside the button
        setState('selected');
      },
    );
  return (
    <div class="form">
      <div class="row spread">
        <h3>{label}</h3>
        <button type="button" class="button" onClick={copy}>
          {state === 'copied' ? 'Copied' : state === 'selected' ? 'Selected: press Ctrl-C' : 'Copy'}
        </button>
      </div>
      <pre ref={element}>{text}</pre>
    </div>
  );
}

/** A button that opens a short list of actions; arrows move, Escape closes. */
export function Menu({ label, items }: { label: string; items: readonly (readonly [string, () => void])[] }) {
  const [isOpen, setOpen] = useState(false);
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    element.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    const outside = (event: Event) => element.current?.contains(event.target as Node) || setOpen(false);
    addEventListener('pointerdown', outside);
    return () => removeEventListener('pointerdown', outside);
  }, [isOpen]);
  const close = () => {
    setOpen(false);
    element.current?.querySelector('button')?.focus();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && isOpen) close();
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0 || !isOpen) return;
    event.preventDefault();
    const each = [...(element.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
    each[(each.indexOf(document.activeElement as HTMLElement) + step + each.length) % each.length]?.focus();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the keys are those of the button and the items in it
    <div class="menu" ref={element} onKeyDown={key}>
      <button
        type="button"
        class="button quiet"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        {label}
      </button>
      {isOpen && (
        <div role="menu">
          {items.map(([text, act]) => (
            <button
              key={text}
              type="button"
              role="menuitem"
              onClick={() => {
                close();
                act();
              }}
            >
              {text}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** Values with their titles, in one strip; what has not come yet keeps its place. */
export function Facts({ facts }: { facts: readonly (readonly [title: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([title, value]) => (
        <div key={title}>
          <dt>{title}</dt>
          <dd>{value ?? '\u2007'}</dd>
        </div>
      ))}
    </dl>
  );
}
