import pg from 'pg';
import { openEmbedded } from '../../../common/postgres/embedded.ts';

// A process that has the server of a home directory (the argument) open until its standard input ends. It prints
// {"started", "serverUser", "dataDirectory", "postmaster": start time of the server}.
const server = await openEmbedded(process.argv[2]!, { durable: false }); // the tests give it
const client = new pg.Client({ connectionString: server.url });
await client.connect();
const { rows } = await client.query<{ postmaster: string }>(
  'select pg_postmaster_start_time()::text as postmaster',
);
await client.end();
const { started, serverUser, dataDirectory } = server;
console.log(JSON.stringify({ started, serverUser, dataDirectory, ...rows[0] }));
process.stdin.on('end', () => server.close()).resume();
