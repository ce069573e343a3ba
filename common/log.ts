import pino from 'pino';

/** The program's logger: one JSON object a line on standard error; level by `DNSTRAIL_LOG` (default `info`). */
export const log = pino(
  { level: process.env.DNSTRAIL_LOG ?? 'info', base: null, timestamp: pino.stdTimeFunctions.isoTime },
  pino.destination({ dest: 2, sync: true }),
);
