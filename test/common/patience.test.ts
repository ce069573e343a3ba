import { expect, it } from 'vitest';
import { withPatience } from '../../common/patience.ts';

const away = Object.assign(new Error('terminating connection due to administrator command'), {
  code: '57P01',
});

it('tries again while the database is away, and tells of each failure', async () => {
  const told: number[] = [];
  let attempts = 0;
  const attempt = async () => {
    if (++attempts < 3) throw away;
    return attempts;
  };
  const result = await withPatience(attempt, new AbortController().signal, (error, wait) => {
    expect(error).toBe(away);
    told.push(wait);
  });
  expect(result).toBe(3);
  expect(told).toEqual([500, 1000]);
});

it('does not try again what waiting cannot cure, nor once it is told to stop', async () => {
  const broken = new Error('the port is taken');
  const refuse = () => Promise.reject(broken);
  await expect(withPatience(refuse, new AbortController().signal, () => {})).rejects.toBe(broken);

  const stopping = new AbortController();
  const waiting = withPatience(
    () => Promise.reject(away),
    stopping.signal,
    () => stopping.abort(),
  );
  await expect(waiting).rejects.toThrow('aborted');
});
