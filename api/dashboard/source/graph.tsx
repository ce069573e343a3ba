import {
  forceCenter,
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type Simulation,
} from 'd3-force';
import type { RefObject } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { getItems, getSaf, urlOf } from './api.ts';
import { count, shownName } from './format.ts';
import { isAddress, Nothing, Panel } from './parts.tsx';
import { lookupUrl, type Observed, valuesOf } from './passive.tsx';
import { go, hrefOf } from './route.ts';
import { useWindow, type Window, windowParameters } from './window.tsx';

type Kind = 'name' | 'address' | 'client';

interface Node {
  readonly id: string;
  readonly kind: Kind;
  readonly value: string;
  x: number;
  y: number;
  vx?: number;
  vy?: number;
  fx?: number | null;
  fy?: number | null;
  isExpanded: boolean;
  /** Neighbours that are known and not drawn. */
  more: number;
}

interface Link {
  readonly source: Node;
  readonly target: Node;
}

/** Nodes at most: more cannot be read. */
const MOST_NODES = 200;
/** New neighbours of one node at a time. */
const MOST_AT_ONCE = 24;
const RADIUS = 8;
const SETTLE_TICKS = 140;
/** With more nodes than this only what is next to the chosen one has its label all the time. */
const MOST_LABELLED = 60;
const LETTER = 6.6;
const LINE = 19;

/** Names, addresses and clients, and which belong to which; one step further wherever one asks for it. */
export function GraphPage({ start }: { start: string | undefined }) {
  return (
    <>
      <div class="head">
        <div>
          <p class="over">Who shares what with whom</p>
          <h1>{start === undefined ? 'Graph' : start}</h1>
        </div>
        <StartBox />
      </div>
      {start === undefined ? (
        <section class="panel">
          <Nothing title="Begin with a name, an address or a client.">
            Names lead to their addresses and to the clients that asked for them, addresses to all names they
            had, clients to the names that only they asked for. Open one to go a step further.
          </Nothing>
        </section>
      ) : (
        <Graph key={start} start={start} />
      )}
    </>
  );
}

function StartBox() {
  const [text, setText] = useState('');
  return (
    <form
      class="row"
      onSubmit={event => {
        event.preventDefault();
        if (text.trim() !== '') go(hrefOf(['graph', text.trim()]));
      }}
    >
      <label class="hidden" for="graph-start">
        Begin with
      </label>
      <input
        id="graph-start"
        class="field start"
        type="text"
        autocapitalize="none"
        spellcheck={false}
        placeholder="Begin with …"
        value={text}
        onInput={event => setText(event.currentTarget.value)}
      />
      <button type="submit" class="button">
        Draw
      </button>
    </form>
  );
}

function nodeOf(kind: Kind, value: string, near?: Node): Node {
  const angle = Math.random() * 2 * Math.PI;
  return {
    id: `${kind} ${value}`,
    kind,
    value,
    x: (near?.x ?? 0) + 40 * Math.cos(angle),
    y: (near?.y ?? 0) + 40 * Math.sin(angle),
    isExpanded: false,
    more: 0,
  };
}

function firstNode(start: string): Node {
  const [, client] = /^client (.+)$/.exec(start) ?? [];
  if (client !== undefined) return nodeOf('client', client);
  return isAddress(start)
    ? nodeOf('address', start)
    : nodeOf('name', start.endsWith('.') ? start : `${start.toLowerCase()}.`);
}

/** What is next to a node. */
async function neighboursOf(
  { kind, value }: Node,
  window: Window,
): Promise<readonly (readonly [Kind, string])[]> {
  const path = encodeURIComponent(value);
  switch (kind) {
    case 'address':
      return (await getSaf<Observed>(lookupUrl(`rdata/ip/${value}`))).map(({ rrname }) => ['name', rrname]);
    case 'client':
      return (
        await getItems<{ rrname: string }>(
          urlOf(`api/v1/clients/${path}/unusual`, { ...windowParameters(window), limit: 500 }),
        )
      ).map(({ rrname }) => ['name', rrname]);
    case 'name': {
      const [records, clients] = await Promise.all([
        getSaf<Observed>(lookupUrl(`rrset/name/${path}`)),
        getItems<{ client: string }>(urlOf(`api/v1/names/${path}/clients`, { limit: 500 })),
      ]);
      const values = records
        .filter(({ rrtype }) => ['A', 'AAAA', 'CNAME'].includes(rrtype))
        .flatMap(valuesOf);
      return [
        ...values.map(value => [isAddress(value) ? 'address' : 'name', value] as const),
        ...clients.map(({ client }) => ['client', client] as const),
      ];
    }
  }
}

const pageOf = ({ kind, value }: Node): string => hrefOf([kind, kind === 'name' ? shownName(value) : value]);

function Graph({ start }: { start: string }) {
  const window = useWindow();
  const [, redraw] = useState(0);
  const [chosen, setChosen] = useState<Node>();
  const [failure, setFailure] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const [view, setView] = useState({ x: 0, y: 0, scale: 1 });
  const frame = useRef<SVGSVGElement>(null);
  const graph = useMemo(() => {
    const nodes: Node[] = [firstNode(start)];
    const links: Link[] = [];
    const simulation: Simulation<Node, Link> = forceSimulation<Node>(nodes)
      .force('charge', forceManyBody<Node>().strength(-380).distanceMax(520))
      .force('link', forceLink<Node, Link>(links).distance(104).strength(0.5))
      .force('apart', forceCollide<Node>(26))
      .force('center', forceCenter(0, 0).strength(0.6))
      .force('x', forceX<Node>(0).strength(0.03))
      .force('y', forceY<Node>(0).strength(0.06))
      .stop();
    return { nodes, links, simulation };
  }, [start]);
  const { nodes, links, simulation } = graph;
  const settle = () => {
    simulation.nodes(nodes);
    simulation.force<ReturnType<typeof forceLink<Node, Link>>>('link')?.links(links);
    // laid out before it is drawn: nothing swims about
    simulation.alpha(1).tick(SETTLE_TICKS);
    if (nodes.length <= MOST_LABELLED) separateLabels(nodes, links);
    frameAll();
    redraw(each => each + 1);
  };
  const frameAll = () => {
    const box = frame.current?.getBoundingClientRect();
    if (box === undefined || nodes.length === 0) return;
    const [xs, ys] = [nodes.map(({ x }) => x), nodes.map(({ y }) => y)];
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = Math.min(
      1.25,
      (box.width - 60) / Math.max(60, right - left + 360),
      (box.height - 60) / Math.max(60, bottom - top + 40),
    );
    setView({ x: -scale * ((left + right) / 2), y: (-scale * (top + bottom)) / 2, scale });
  };
  const expand = async (node: Node) => {
    if (isBusy) return;
    setBusy(true);
    setFailure(undefined);
    try {
      const known = new Map(nodes.map(each => [each.id, each]));
      const found = new Map(
        (await neighboursOf(node, window)).map(([kind, value]) => [
          `${kind} ${value}`,
          [kind, value] as const,
        ]),
      );
      let added = 0;
      let left = 0;
      for (const [id, [kind, value]] of found) {
        let other = known.get(id);
        if (other === undefined) {
          if (added >= MOST_AT_ONCE || nodes.length >= MOST_NODES) {
            left++;
            continue;
          }
          other = nodeOf(kind, value, node);
          nodes.push(other);
          added++;
        }
        const target = other;
        if (
          target !== node &&
          !links.some(
            link =>
              (link.source === node && link.target === target) ||
              (link.source === target && link.target === node),
          )
        )
          links.push({ source: node, target });
      }
      node.more = left;
      node.isExpanded = left === 0;
      settle();
    } catch (error) {
      setFailure((error as Error).message);
    } finally {
      setBusy(false);
    }
  };
  // once for each graph
  useEffect(() => {
    const first = nodes[0]!; // it has one from the beginning
    setChosen(first);
    void expand(first);
  }, [graph]);
  const nextTo = new Set(
    links.flatMap(({ source, target }) => (source === chosen ? [target] : target === chosen ? [source] : [])),
  );
  const remove = (node: Node) => {
    const kept = new Set(
      nodes.filter(
        each =>
          each !== node &&
          (each === nodes[0] ||
            links.some(
              ({ source, target }) =>
                (source === each && target !== node) || (target === each && source !== node),
            )),
      ),
    );
    nodes.splice(0, nodes.length, ...kept);
    links.splice(
      0,
      links.length,
      ...links.filter(({ source, target }) => kept.has(source) && kept.has(target)),
    );
    setChosen(nodes[0]);
    settle();
  };
  const neighbours = chosen === undefined ? [] : [...nextTo];
  return (
    <div class="cols">
      <section class="panel c8" aria-label="Graph">
        <div class="graph" aria-busy={isBusy}>
          <GraphView
            frame={frame}
            nodes={nodes}
            links={links}
            view={view}
            setView={setView}
            chosen={chosen}
            nextTo={nextTo}
            choose={setChosen}
            expand={expand}
          />
        </div>
        <div class="foot">
          <span class="row">
            <Legend kind="name" text="Name" />
            <Legend kind="address" text="Address" />
            <Legend kind="client" text="Client" />
          </span>
          <span>
            {count(nodes.length)} of {MOST_NODES} at most
          </span>
        </div>
      </section>
      <Panel
        class="c4"
        title={
          chosen === undefined
            ? 'Chosen'
            : chosen.kind === 'name'
              ? 'Name'
              : chosen.kind === 'address'
                ? 'Address'
                : 'Client'
        }
      >
        {chosen !== undefined && (
          <div class="form" aria-live="polite">
            <p class="value big">{shownName(chosen.value)}</p>
            <div class="row">
              <button
                type="button"
                class="button primary"
                disabled={isBusy || chosen.isExpanded || nodes.length >= MOST_NODES}
                onClick={() => expand(chosen)}
              >
                {chosen.more > 0
                  ? `Show ${Math.min(MOST_AT_ONCE, chosen.more)} more`
                  : chosen.isExpanded
                    ? 'All is shown'
                    : 'Go a step further'}
              </button>
              <a class="button" href={pageOf(chosen)}>
                Its page
              </a>
              {chosen !== nodes[0] && (
                <button type="button" class="button" onClick={() => remove(chosen)}>
                  Remove
                </button>
              )}
            </div>
            {chosen.more > 0 && <p class="muted small">{count(chosen.more)} more are known and not drawn.</p>}
            {failure !== undefined && (
              <p class="error" role="alert">
                {failure}
              </p>
            )}
            <h3>Next to it</h3>
            {neighbours.length === 0 ? (
              <p class="muted">{isBusy ? 'Asking …' : chosen.isExpanded ? 'Nothing.' : 'Not asked yet.'}</p>
            ) : (
              <ul class="beside">
                {neighbours.map(node => (
                  <li key={node.id}>
                    <button type="button" class="button quiet" onClick={() => setChosen(node)}>
                      <Shape kind={node.kind} /> <span class="long">{shownName(node.value)}</span>
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </div>
        )}
      </Panel>
    </div>
  );
}

function Legend({ kind, text }: { kind: Kind; text: string }) {
  return (
    <span class="key">
      <Shape kind={kind} /> {text}
    </span>
  );
}

/** Kinds differ in shape too, not in colour alone. */
function Shape({ kind }: { kind: Kind }) {
  return (
    <svg class="shape" width="12" height="12" viewBox="-10 -10 20 20" aria-hidden="true">
      <Mark kind={kind} />
    </svg>
  );
}

function Mark({ kind }: { kind: Kind }) {
  if (kind === 'name') return <circle class="name" r={RADIUS} />;
  if (kind === 'address')
    return (
      <rect
        class="address"
        x={-RADIUS + 1}
        y={-RADIUS + 1}
        width={2 * RADIUS - 2}
        height={2 * RADIUS - 2}
        rx="2"
      />
    );
  return <path class="client" d="M0 -9 9 7 -9 7Z" />;
}

interface GraphViewProps {
  readonly frame: RefObject<SVGSVGElement | null>;
  readonly nodes: readonly Node[];
  readonly links: readonly Link[];
  readonly view: { readonly x: number; readonly y: number; readonly scale: number };
  setView(view: { x: number; y: number; scale: number }): void;
  readonly chosen: Node | undefined;
  readonly nextTo: ReadonlySet<Node>;
  choose(node: Node): void;
  expand(node: Node): void;
}

function GraphView({ frame, nodes, links, view, setView, chosen, nextTo, choose, expand }: GraphViewProps) {
  const drag = useRef<{ x: number; y: number; node: Node | undefined; isMoved: boolean } | undefined>(
    undefined,
  );
  const [, redraw] = useState(0);
  const down = (event: PointerEvent, node?: Node) => {
    event.stopPropagation();
    drag.current = { x: event.clientX, y: event.clientY, node, isMoved: false };
    frame.current?.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const held = drag.current;
    if (held === undefined) return;
    const [dx, dy] = [event.clientX - held.x, event.clientY - held.y];
    if (!held.isMoved && Math.hypot(dx, dy) < 4) return;
    Object.assign(held, { x: event.clientX, y: event.clientY, isMoved: true });
    if (held.node === undefined) setView({ ...view, x: view.x + dx, y: view.y + dy });
    else {
      held.node.x += dx / view.scale;
      held.node.y += dy / view.scale;
      redraw(each => each + 1);
    }
  };
  const up = () => {
    const held = drag.current;
    drag.current = undefined;
    if (held?.node !== undefined && !held.isMoved) choose(held.node);
  };
  useEffect(() => {
    const element = frame.current;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      setView({ ...view, scale: Math.min(3, Math.max(0.15, view.scale * Math.exp(-event.deltaY / 600))) });
    };
    element?.addEventListener('wheel', wheel, { passive: false });
    return () => element?.removeEventListener('wheel', wheel);
  });
  const [width, height] = [frame.current?.clientWidth ?? 800, frame.current?.clientHeight ?? 600];
  // with many nodes only what matters has its label all the time
  const isLabelled = (node: Node) =>
    nodes.length <= MOST_LABELLED || node === chosen || nextTo.has(node) || node.isExpanded;
  return (
    // by keyboard one walks over the nodes, which are buttons
    <svg
      ref={frame}
      aria-label="Nodes"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
    >
      <g transform={`translate(${width / 2 + view.x} ${height / 2 + view.y}) scale(${view.scale})`}>
        {links.map(({ source, target }) => (
          <line
            key={`${source.id} ${target.id}`}
            x1={source.x}
            y1={source.y}
            x2={target.x}
            y2={target.y}
            class={source === chosen || target === chosen ? 'lit' : undefined}
          />
        ))}
        {nodes.map(node => (
          // biome-ignore lint/a11y/useSemanticElements: there are no buttons in SVG
          <g
            key={node.id}
            role="button"
            tabIndex={0}
            aria-label={`${node.kind} ${shownName(node.value)}${node.isExpanded ? '' : ', can be expanded'}`}
            aria-pressed={node === chosen}
            class={`node ${node === chosen ? 'chosen' : ''}`}
            transform={`translate(${node.x} ${node.y}) scale(${1 / Math.min(1, view.scale)})`}
            onPointerDown={event => down(event, node)}
            onDblClick={() => expand(node)}
            onFocus={() => choose(node)}
            onKeyDown={event => {
              if (event.key !== 'Enter' && event.key !== ' ') return;
              event.preventDefault();
              expand(node);
            }}
          >
            <title>{shownName(node.value)}</title>
            <Mark kind={node.kind} />
            {isLabelled(node) && (
              <text
                x={isLeft(node, links) ? -13 : 13}
                y="4"
                text-anchor={isLeft(node, links) ? 'end' : 'start'}
                class={chosen === undefined || node === chosen || nextTo.has(node) ? undefined : 'dim'}
              >
                {shortened(shownName(node.value))}
              </text>
            )}
          </g>
        ))}
      </g>
    </svg>
  );
}

/** Labels stand on the outer side of their node. */
function isLeft(node: Node, links: readonly Link[]): boolean {
  const link = links.find(({ source, target }) => target === node || source === node);
  const other = link === undefined ? undefined : link.source === node ? link.target : link.source;
  return link?.target === node && other !== undefined && node.x < other.x;
}

/** Moves nodes up and down until no label covers another. */
function separateLabels(nodes: readonly Node[], links: readonly Link[]): void {
  const boxes = nodes.map(node => {
    const width = 26 + LETTER * shortened(shownName(node.value)).length;
    return { node, left: isLeft(node, links) ? -width : -10, width: width + 10 };
  });
  for (let round = 0; round < 80; round++) {
    let isMoved = false;
    for (const [i, a] of boxes.entries())
      for (const b of boxes.slice(i + 1)) {
        const [ax, bx] = [a.node.x + a.left, b.node.x + b.left];
        const overlap = LINE - Math.abs(a.node.y - b.node.y);
        if (overlap <= 0 || ax + a.width <= bx || bx + b.width <= ax) continue;
        const push = overlap / 2 + 0.5;
        const sign = a.node.y <= b.node.y ? 1 : -1;
        a.node.y -= sign * push;
        b.node.y += sign * push;
        isMoved = true;
      }
    if (!isMoved) return;
  }
}

function shortened(text: string): string {
  return text.length <= 26 ? text : `${text.slice(0, 12)}…${text.slice(-12)}`;
}
