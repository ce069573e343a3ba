const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

/** Connection lost (08), shut down or starting up (57P), out of connections, memory or disk (53), lost a race (40001, 40P01, 55P03). */
const SQLSTATES = /^(08...|53...|57P0[1235]|40001|40P01|55P03)$/;

/** What pg says, without a code, of a connection that ended or did not come about. */
const MESSAGES =
  /^Connection terminated|^timeout exceeded when trying to connect|^timeout expired|^Client has encountered a connection error/;

/**
 * Whether the same statement may succeed later: the server or the way to it is at fault, or a race with another
 * transaction. A full disk and exhausted connections count. The transaction is lost, or its commit unknown, in any case.
 */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, syscall, cause } = error as NodeJS.ErrnoException & { cause?: unknown };
  if (code === 'ENOENT') return syscall === 'connect'; // the socket of a server that does not run
  if (code !== undefined && (NETWORK_CODES.has(code) || SQLSTATES.test(code))) return true;
  return MESSAGES.test(error.message) || isTransient(cause);
}

/** Whether the server answered that it is starting, recovering or shutting down (SQLSTATE 57P03). */
export function isChangingState(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === '57P03';
}
