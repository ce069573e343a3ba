/** The short forms of test/torture. */
import { expect, it } from 'vitest';
import { createTestDatabase } from '../../support/database.ts';
import { killLoad } from '../../torture/killLoad.ts';
import { mutate } from '../../torture/mutate.ts';
import { createRandom } from '../../torture/random.ts';
import { withServer } from '../../torture/server.ts';
import { stopDuringLoad } from '../../torture/stopPostgres.ts';
import { loadZeros } from '../../torture/zeros.ts';

const server = { createDatabase: createTestDatabase };

it('stores every row once however often the load is killed', async () => {
  const figures = await killLoad(server, { kills: 3, fileOctets: 8 << 20, random: createRandom() });
  expect(figures.kills).toBe(3);
}, 180_000);

it('waits while PostgreSQL is stopped, shut down at once or killed during a load, and stores every row once', async () => {
  const random = createRandom();
  const figures = await withServer(own => stopDuringLoad(own, { rounds: 1, fileOctets: 24 << 20, random }));
  expect(figures.stops).toBe(3);
  expect(figures.stoppedInTheMiddle).toBeGreaterThan(0);
}, 180_000);

it('gives every damaged file an outcome in time, with a ledger that closes', async () => {
  const figures = await mutate(server, { seconds: 8, random: createRandom() });
  expect(figures.partial).toBeGreaterThan(10);
}, 180_000);

it('finds the messages behind 256 MB of zeros in little memory', async () => {
  const figures = await loadZeros(server, 256 << 20);
  expect(figures.flows).toBeGreaterThan(200);
}, 180_000);
