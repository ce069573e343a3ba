/** An answer other than 200, with the reason as the client is told it. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;

  constructor(status: number, reason: string) {
    super(reason);
    this.status = status;
  }
}

export const badRequest = (reason: string): ApiError => new ApiError(400, reason);

/** SQLSTATE of an error of PostgreSQL, the system's error code of a lost connection, or undefined. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

export const QUERY_CANCELED = '57014';
const INVALID_REGULAR_EXPRESSION = '2201B';
const POOL_TIMEOUT = 'timeout exceeded when trying to connect';

/** What the client is told about any error: its own reason, or no more than that something failed. */
export function publicError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const code = codeOf(error);
  if (code === INVALID_REGULAR_EXPRESSION) return badRequest('the pattern is no regular expression');
  if (code === QUERY_CANCELED) return new ApiError(504, 'Query timeout');
  if (error instanceof Error && error.message === POOL_TIMEOUT)
    return new ApiError(503, 'Too many concurrent connections');
  return new ApiError(500, 'internal error');
}

/** Whether an error is worth a line in the log: it is ours, not the client's. */
export const isOurs = (error: unknown): boolean => publicError(error).status === 500;
