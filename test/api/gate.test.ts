import { setTimeout as delay } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { Gate } from '../../api/gate.ts';

const forever = new AbortController().signal;
const gateOf = (most: number, momentMs = 60_000, patienceMs = 60_000) =>
  new Gate({ most, momentMs, patienceMs });

test('so many are inside, the others come in their order as places are left', async () => {
  const gate = gateOf(2);
  const events: string[] = [];
  const visit = async (name: string) => {
    const leave = await gate.enter(forever);
    events.push(`${name} in`);
    return () => {
      events.push(`${name} out`);
      leave();
      leave(); // as often as one likes
    };
  };
  const [a, b] = await Promise.all([visit('a'), visit('b')]);
  const others = [visit('c'), visit('d')];
  await delay(5);
  expect(gate.waiting).toBe(2);
  b();
  const c = await others[0]!;
  await delay(5);
  expect(events).toEqual(['a in', 'b in', 'b out', 'c in']);
  a();
  const d = await others[1]!;
  c();
  d();
  expect(events).toEqual(['a in', 'b in', 'b out', 'c in', 'a out', 'd in', 'c out', 'd out']);
  expect(gate.waiting).toBe(0);
  await Promise.all([gate.enter(forever), gate.enter(forever)]); // both places are free again
});

test('who was inside before goes first', async () => {
  const gate = gateOf(1);
  const events: string[] = [];
  const visit = async (name: string, { signal }: AbortController) => {
    const leave = await gate.enter(signal);
    events.push(name);
    await delay(5);
    leave();
  };
  const [first, second] = [new AbortController(), new AbortController()];
  const visits = [visit('first', first), visit('second', second), visit('first again', first)];
  await Promise.all(visits);
  expect(events).toEqual(['first', 'first again', 'second']);
  expect(gate.waiting).toBe(0);
});

test('who takes longer than a moment keeps nobody waiting, and frees no second place when it ends', async () => {
  vi.useFakeTimers();
  try {
    const gate = gateOf(1, 20);
    const leave = await gate.enter(forever);
    const second = gate.enter(forever);
    expect(gate.waiting).toBe(1);
    await vi.advanceTimersByTimeAsync(20);
    const next = await second;
    leave();
    const third = gate.enter(forever);
    expect(gate.waiting).toBe(1);
    next();
    (await third)();
  } finally {
    vi.useRealTimers();
  }
});

test('who does not wait any longer, or has waited too long, has no place', async () => {
  const gate = gateOf(1, 60_000, 20);
  const leave = await gate.enter(forever);
  const stop = new AbortController();
  const given = gate.enter(stop.signal);
  const late = gate.enter(forever);
  stop.abort(new Error('gone'));
  await expect(given).rejects.toThrow('gone');
  await expect(late).rejects.toMatchObject({ status: 503 });
  await expect(gate.enter(stop.signal)).rejects.toThrow('gone');
  leave();
  (await gate.enter(forever))();
});
