import type { Socket } from 'node:net';
import { log } from '../../common/log.ts';
import { DecodeError, MessageSplitter, Session } from '../ipfix/index.ts';
import type { Journal } from './journal.ts';
import type { SegmentWriter } from './segmentWriter.ts';

/** One connection of an exporting process, as counted so far. */
export interface SessionStatistics {
  readonly peerAddress: string;
  readonly peerPort: number;
  /** The id in the names of its journal segments. */
  readonly session: string;
  readonly connectedAt: Date;
  readonly octets: number;
  readonly messages: number;
  readonly lastMessageAt: Date | undefined;
  /** Export time of the last message minus our clock when it came. */
  readonly exportTimeSkewSeconds: number | undefined;
}

const nothing = Buffer.alloc(0);

/**
 * One transport session: every octet goes to the journal before anything else is done with it; then it is cut into
 * messages, of which only templates are read, so that the journal can begin a new segment with them.
 */
export class TcpSession {
  readonly #socket: Socket;
  readonly #peer: { readonly address: string; readonly port: number };
  readonly #writer: SegmentWriter;
  readonly #splitter = new MessageSplitter();
  readonly #session = new Session();
  readonly #connectedAt = new Date();
  readonly #onFramingError: () => void;
  #octets = 0;
  #messages = 0;
  #exportTime = 0;
  #lastOctetsMs = 0;
  #lastMessageMs: number | undefined;

  constructor(
    socket: Socket,
    peer: { readonly address: string; readonly port: number },
    journal: Journal,
    onFramingError: () => void,
  ) {
    this.#socket = socket;
    this.#peer = peer;
    this.#onFramingError = onFramingError;
    this.#writer = journal.openSession(peer, () => ({
      // how many records the last message of a domain held is not known here: its own number is as near as we get
      head: this.#session.templateMessages(
        this.#exportTime,
        id => this.#session.domains.get(id)?.lastSequenceNumber ?? 0,
      ),
      pendingOctets: this.#splitter.pending,
    }));
    if (journal.stalled) socket.pause();
    socket.on('data', chunk => this.#receive(chunk));
    socket.on('error', err => log.warn({ ...this.#who, err }, 'connection broke'));
    socket.on('timeout', () => {
      if (journal.stalled) return;
      log.warn(this.#who, 'connection closed: nothing came for the idle timeout');
      socket.destroy();
    });
    socket.on('close', () => this.#end());
    log.info(this.#who, 'exporter connected');
  }

  get statistics(): SessionStatistics {
    const last = this.#lastMessageMs;
    return {
      peerAddress: this.#peer.address,
      peerPort: this.#peer.port,
      session: this.#writer.session,
      connectedAt: this.#connectedAt,
      octets: this.#octets,
      messages: this.#messages,
      lastMessageAt: last === undefined ? undefined : new Date(last),
      exportTimeSkewSeconds: last === undefined ? undefined : this.#exportTime - Math.round(last / 1000),
    };
  }

  /** Settles when the connection and its last segment are closed. */
  get ended(): Promise<void> {
    return this.#writer.ended;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Milliseconds since the last octets came. */
  idleMs(): number {
    return performance.now() - this.#lastOctetsMs;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#writer.append(chunk);
    this.#lastOctetsMs = performance.now();
    const isFirst = this.#octets === 0;
    this.#octets += chunk.length;
    try {
      this.#follow(chunk);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#refuse(error, isFirst ? guessProtocol(chunk) : undefined);
      return;
    }
    this.#writer.rotateIfDue();
  }

  #follow(chunk: Buffer): void {
    // the splitter tells of a bad spot behind good messages only when it is asked again
    for (let more = this.#splitter.push(chunk); more.length > 0; more = this.#splitter.push(nothing)) {
      for (const message of more) this.#session.readTemplates(message);
      this.#messages += more.length;
      this.#exportTime = more.at(-1)!.readUInt32BE(4); // the loop runs only with messages
      this.#lastMessageMs = Date.now();
    }
  }

  #refuse(err: DecodeError, looksLike: string | undefined): void {
    this.#onFramingError();
    log.warn(
      { ...this.#who, offset: err.offset, code: err.code, looksLike },
      `connection closed, not IPFIX: ${err.message}`,
    );
    void this.#writer.close();
    this.#socket.destroy();
  }

  #end(): void {
    const { octets, messages } = this.statistics;
    log.info(
      { ...this.#who, octets, messages, incompleteOctets: this.#splitter.pending },
      'exporter disconnected',
    );
    void this.#writer.close();
  }

  get #who(): { peer: string; session: string } {
    return { peer: `${this.#peer.address} port ${this.#peer.port}`, session: this.#writer.session };
  }
}

function guessProtocol(octets: Buffer): string | undefined {
  if (/^[A-Z]{3,7} /.test(octets.toString('latin1', 0, 8))) return 'HTTP';
  if (octets[0] === 0x16 && octets[1] === 3) return 'TLS, on a port that expects none';
  if (octets[0] === 0 && (octets[1] === 5 || octets[1] === 9)) return `NetFlow v${octets[1]}`;
  return undefined;
}
