import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { log } from '../../common/log.ts';
import { ReceiveError, ReceiveErrorCode } from './errors.ts';
import type { Journal } from './journal.ts';
import { type SessionStatistics, TcpSession } from './tcpSession.ts';

export interface TcpReceiverOptions {
  /** Connections at the same time; more are closed at once. */
  readonly maxSessions: number;
  /** Closes connections that are silent for so long; 0: never, exporters may be silent for hours. */
  readonly idleTimeoutMs: number;
  /** How long a connection without traffic waits before the kernel asks whether the peer is still there. */
  readonly keepAliveMs: number;
}

const defaultOptions: TcpReceiverOptions = { maxSessions: 1000, idleTimeoutMs: 0, keepAliveMs: 60_000 };

/** Since the start of the receiver; `sessions` has those that are open. */
export interface ReceiverStatistics {
  readonly sessionsOpen: number;
  readonly sessionsTotal: number;
  /** Connections closed because there were `maxSessions` already. */
  readonly sessionsRefused: number;
  readonly octets: number;
  readonly messages: number;
  /** Connections closed because what came was not IPFIX. */
  readonly framingErrors: number;
  readonly lastMessageAt: Date | undefined;
  readonly sessions: readonly SessionStatistics[];
}

/** At close, what the kernel holds of an open connection is still read until it is idle for so long … */
const DRAIN_IDLE_MS = 200;
/** … or has had this long: an exporter that sends without pause has no end. */
const DRAIN_LONGEST_MS = 2000;

/** Receives IPFIX over TCP (RFC 7011 section 10.4) from many exporters into a journal. Never writes to them. */
export class TcpReceiver {
  readonly #journal: Journal;
  readonly #options: TcpReceiverOptions;
  readonly #server: Server;
  readonly #sessions = new Set<TcpSession>();
  readonly #onStalled = (): void => {
    for (const session of this.#sessions) session.pause();
  };
  readonly #onResumed = (): void => {
    for (const session of this.#sessions) session.resume();
  };
  #sessionsTotal = 0;
  #sessionsRefused = 0;
  #framingErrors = 0;
  /** Of sessions that are over. */
  #past = { octets: 0, messages: 0, lastMessageAt: undefined as Date | undefined };
  #isRefusing = false;

  constructor(journal: Journal, options: Partial<TcpReceiverOptions> = {}) {
    this.#journal = journal;
    this.#options = { ...defaultOptions, ...options };
    const { maxSessions, keepAliveMs } = this.#options;
    this.#server = createServer({ keepAlive: true, keepAliveInitialDelay: keepAliveMs }, socket =>
      this.#accept(socket),
    );
    this.#server.maxConnections = maxSessions;
    this.#server.on('drop', data => this.#refuse(`${data?.remoteAddress} port ${data?.remotePort}`));
    journal.on('stalled', this.#onStalled).on('resumed', this.#onResumed);
  }

  /**
   * @param host default 127.0.0.1: exporters on other machines need another
   * @param port default 18000; 0 for any that is free
   * @returns where it listens
   * @throws ReceiveError `cannot_listen`
   */
  async listen({ host = '127.0.0.1', port = 18000 } = {}): Promise<AddressInfo> {
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      throw new ReceiveError(
        ReceiveErrorCode.cannotListen,
        `cannot listen on ${host}:${port}: ${remedy(error)}`,
        error,
      );
    }
    this.#server.on('error', err => log.error({ err }, 'listening socket'));
    const address = this.#server.address() as AddressInfo; // a string only for pipes
    log.info({ address: address.address, port: address.port }, 'listening for IPFIX over TCP');
    return address;
  }

  get statistics(): ReceiverStatistics {
    const sessions = [...this.#sessions].map(({ statistics }) => statistics);
    const all = [this.#past, ...sessions];
    return {
      sessionsOpen: sessions.length,
      sessionsTotal: this.#sessionsTotal,
      sessionsRefused: this.#sessionsRefused,
      octets: all.reduce((sum, { octets }) => sum + octets, 0),
      messages: all.reduce((sum, { messages }) => sum + messages, 0),
      framingErrors: this.#framingErrors,
      lastMessageAt: latest(all.map(({ lastMessageAt }) => lastMessageAt)),
      sessions,
    };
  }

  /** Stops accepting, reads for a short time what exporters have sent already, closes connections and segments. */
  async close(): Promise<void> {
    this.#server.close();
    await Promise.all([...this.#sessions].map(session => this.#drain(session)));
    this.#journal.off('stalled', this.#onStalled).off('resumed', this.#onResumed);
  }

  #accept(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy(); // gone already
      return;
    }
    if (this.#options.idleTimeoutMs > 0) socket.setTimeout(this.#options.idleTimeoutMs);
    // a dual-stack socket shows IPv4 peers as ::ffff:192.0.2.1
    const peer = { address: remoteAddress.replace(/^::ffff:(?=\d+\.)/i, ''), port: remotePort };
    const session = new TcpSession(socket, peer, this.#journal, () => this.#framingErrors++);
    this.#sessions.add(session);
    this.#sessionsTotal++;
    socket.on('close', () => this.#forget(session));
  }

  #forget(session: TcpSession): void {
    const { octets, messages, lastMessageAt } = session.statistics;
    this.#sessions.delete(session);
    this.#past = {
      octets: this.#past.octets + octets,
      messages: this.#past.messages + messages,
      lastMessageAt: latest([this.#past.lastMessageAt, lastMessageAt]),
    };
    this.#isRefusing = false;
  }

  #refuse(peer: string): void {
    this.#sessionsRefused++;
    if (this.#isRefusing) return; // one line until a place is free again
    this.#isRefusing = true;
    log.warn(
      { peer, maxSessions: this.#options.maxSessions },
      'connections refused: as many exporters as allowed are connected',
    );
  }

  async #drain(session: TcpSession): Promise<void> {
    const start = performance.now();
    const elapsed = (): number => performance.now() - start;
    while (!this.#journal.stalled && this.#sessions.has(session) && elapsed() < DRAIN_LONGEST_MS) {
      const idleMs = Math.min(session.idleMs(), elapsed());
      if (idleMs >= DRAIN_IDLE_MS) break;
      await delay(Math.min(DRAIN_IDLE_MS - idleMs, DRAIN_LONGEST_MS - elapsed()));
    }
    session.destroy();
    if (this.#journal.stalled) return; // its last octets wait for room; closing the journal settles them
    await session.ended;
  }
}

function latest(dates: readonly (Date | undefined)[]): Date | undefined {
  return dates.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}

function remedy(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException; // 'error' events of a server carry nothing else
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use, perhaps by another dnstrail or mediator; stop that or choose another port';
    case 'EACCES':
      return 'this user may not open the port; choose one above 1023';
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address; use one of its own, or 0.0.0.0 for all';
    default:
      return message;
  }
}
