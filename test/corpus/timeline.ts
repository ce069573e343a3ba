import type { YafFlow } from '../bench/yafWriter.ts';
import type { Activity, Source } from './lookUp.ts';
import { HOUR } from './time.ts';
import { Upstream } from './upstream.ts';
import type { World } from './world.ts';

/** A source and its next activity. */
interface Waiting {
  readonly rest: Iterator<Activity>;
  next: Activity;
}

/**
 * All flows in the order in which they end, and so are exported. Goes through the sources hour by hour, so memory is that of
 * an hour's flows.
 */
export function* flowsInOrder(world: World, sources: Iterable<Source>): Generator<YafFlow, void> {
  const upstream = new Upstream(world);
  let waiting = [...sources].flatMap(source => startOf(source));
  let begun: YafFlow[] = [];
  let ending: YafFlow[] = [];
  for (let until = world.from + HOUR; until < world.to + 2 * HOUR; until += HOUR) {
    waiting = waiting.filter(each => takeUntil(each, until, begun));
    begun.sort((a, b) => a.start - b.start);
    const later = begun.findIndex(({ start }) => start >= until);
    const now = later < 0 ? begun : begun.slice(0, later);
    begun = later < 0 ? [] : begun.slice(later);
    for (const flow of now) ending.push(...upstream.through(flow));
    upstream.clean(until);
    ending.sort((a, b) => a.end - b.end);
    const open = ending.findIndex(({ end }) => end >= until);
    yield* open < 0 ? ending : ending.slice(0, open);
    ending = open < 0 ? [] : ending.slice(open);
  }
  yield* ending;
}

function startOf(source: Source): Waiting[] {
  const rest = source[Symbol.iterator]();
  const first = rest.next();
  return first.done ? [] : [{ rest, next: first.value }];
}

/** Takes the flows of the activities that begin before a time. @returns whether there are later ones */
function takeUntil(waiting: Waiting, until: number, into: YafFlow[]): boolean {
  while (waiting.next[0]!.start < until) {
    // an activity is not empty
    into.push(...waiting.next);
    const following = waiting.rest.next();
    if (following.done) return false;
    waiting.next = following.value;
  }
  return true;
}
