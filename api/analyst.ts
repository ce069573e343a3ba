import type pg from 'pg';

/** What nobody wants to hear of. */
export interface MuteRequest {
  readonly kind?: string | undefined;
  readonly subject?: string | undefined;
  /** A network. */
  readonly client?: string | undefined;
  readonly reason: string;
  readonly author: string;
  readonly until: Date;
}

/** One subject and client that other thresholds would find, or would not. */
export interface Difference {
  readonly subject: string;
  readonly client: string | null;
  readonly windows: number;
  readonly highestScore: number;
}

/** What other thresholds would find. */
export interface WhatIf {
  readonly kind: string;
  readonly thresholds: unknown;
  readonly windows: number;
  readonly before: number;
  readonly after: number;
  readonly added: readonly Difference[];
  readonly gone: readonly Difference[];
}

/**
 * What the jobs' program does for the API: settings and marks are its own, with all their rules. The entry of the program brings
 * both together. What a caller cannot mean is thrown as an Error of the name `SettingsError`, with a message for people.
 */
export interface Analyst {
  mute(pool: pg.Pool, request: MuteRequest): Promise<number>;
  /** @returns whether there was such a mute */
  unmute(pool: pg.Pool, id: number): Promise<boolean>;
  /** @returns whether there is such a detection */
  setStatus(pool: pg.Pool, id: number, status: 'new' | 'acknowledged' | 'closed'): Promise<boolean>;
  showSettings(pool: pg.Pool): Promise<Record<string, unknown>>;
  /** @returns the names of the settings that changed */
  setSettings(pool: pg.Pool, given: unknown): Promise<readonly string[]>;
  /** @param changes `threshold=value` */
  whatIf(pool: pg.Pool, kind: string, changes: readonly string[]): Promise<WhatIf>;
}
