import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  type DataRecord,
  Session,
  type Sink,
  type Undecodable,
  type Value,
} from '../../../collector/ipfix/index.ts';
import type { SessionLimits } from '../../../collector/ipfix/session.ts';
import {
  dataSet,
  type Field,
  message,
  type Octets,
  template,
  templateSet,
} from '../../support/ipfixBuilder.ts';

/** Everything a session gave its sink. */
export class Decoded implements Sink {
  readonly records: DataRecord[] = [];
  readonly problems: Undecodable[] = [];

  dataRecord(record: DataRecord): void {
    this.records.push(record);
  }

  undecodable(problem: Undecodable): void {
    this.problems.push(problem);
  }

  get values(): Value[][] {
    return this.records.map(({ values }) => values);
  }

  get codes(): string[] {
    return this.problems.map(({ code }) => code);
  }
}

/** A session and what came out of it so far. */
export class Decoding {
  readonly session: Session;
  readonly out = new Decoded();
  #offset = 0;

  constructor(limits: Partial<SessionLimits> = {}, startsMidSession = false) {
    this.session = new Session(limits, startsMidSession);
  }

  /** Decodes messages as the stream they are. */
  feed(...messages: readonly Buffer[]): this {
    for (const octets of messages) {
      this.session.decodeMessage(octets, this.#offset, this.out);
      this.#offset += octets.length;
    }
    return this;
  }

  finish(): this {
    this.session.finish(this.out);
    return this;
  }
}

/** Decodes a stream in a session of its own. */
export function decode(...messages: readonly Buffer[]): Decoded {
  return new Decoding().feed(...messages).out;
}

/** Decodes records of a template of these fields. */
export function decodeRecords(fields: readonly Field[], ...records: readonly Octets[]): Decoded {
  return decode(message([templateSet(template(256, fields)), dataSet(256, ...records)]));
}

const fixtures = path.join(import.meta.dirname, '../../fixtures');

/** A stream recorded from a real exporter. */
export function fixture(name: string): Buffer {
  const file = path.join(fixtures, `${name}.ipfix`);
  return existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(`${file}.gz`));
}

/** Whole messages of a stream; an incomplete one at its end is left out. */
export function messagesOf(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + 16 <= stream.length; ) {
    const length = stream.readUInt16BE(at + 2);
    if (at + length > stream.length) break;
    messages.push(stream.subarray(at, at + length));
    at += length;
  }
  return messages;
}
