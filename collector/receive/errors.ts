/** What can keep the receiver from starting. The codes are stable. */
export const ReceiveErrorCode = {
  /** Another process holds the journal directory. */
  journalInUse: 'journal_in_use',
  /** The listening socket could not be opened. */
  cannotListen: 'cannot_listen',
} as const;

export type ReceiveErrorCode = (typeof ReceiveErrorCode)[keyof typeof ReceiveErrorCode];

/** The receiver cannot start; the message says why and what to do. */
export class ReceiveError extends Error {
  override readonly name = 'ReceiveError';
  readonly code: ReceiveErrorCode;

  constructor(code: ReceiveErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
