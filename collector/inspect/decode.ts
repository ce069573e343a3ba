import { once } from 'node:events';
import type { Writable } from 'node:stream';
import {
  type DataRecord,
  type MessageHeader,
  recordToJson,
  Session,
  type Sink,
  templateToJson,
  type Undecodable,
} from '../ipfix/index.ts';
import { readMessages } from '../source/messages.ts';

/** What `decodeFile` writes, one JSON object a line; `offset` counts octets of the (uncompressed) file. */
export type DecodedLine =
  | {
      readonly kind: 'message';
      readonly offset: number;
      readonly length: number;
      readonly exportTime: string;
      readonly sequenceNumber: number;
      readonly observationDomainId: number;
    }
  | { readonly kind: 'template'; readonly offset: number; readonly [property: string]: unknown }
  | {
      readonly kind: 'record';
      readonly offset: number;
      readonly templateId: number;
      readonly observationDomainId: number;
      readonly options: boolean;
      readonly values: unknown;
    }
  | {
      readonly kind: 'undecodable';
      readonly offset: number;
      readonly reason: string;
      readonly detail: string;
      readonly octets: string;
    };

/** Octets of undecodable data that a line shows. */
const OCTETS_SHOWN = 64;

/**
 * Decodes a file of IPFIX messages to NDJSON: messages, templates, data records, and what could not be decoded.
 * @returns how many things could not be decoded
 * @throws SourceError when the file cannot be read
 */
export async function decodeFile(path: string, out: Writable): Promise<number> {
  const session = new Session();
  const templates = new Set<unknown>();
  let lines: string[] = [];
  let undecodable = 0;
  const write = (line: DecodedLine): void => {
    lines.push(JSON.stringify(line));
    if (line.kind === 'undecodable') undecodable++;
  };
  const sink: Sink = {
    dataRecord(record: DataRecord, header: MessageHeader, offset: number) {
      const { id, isOptions } = record.template;
      write({
        kind: 'record',
        offset,
        templateId: id,
        observationDomainId: header.observationDomainId,
        options: isOptions,
        values: recordToJson(record),
      });
    },
    undecodable({ code, message, offset, octets }: Undecodable) {
      write({
        kind: 'undecodable',
        offset,
        reason: code,
        detail: message,
        octets: octets.toString('hex', 0, OCTETS_SHOWN),
      });
    },
  };
  for await (const block of readMessages(path)) {
    if (block.bad !== undefined) {
      const { offset, code, message, bytes } = block.bad;
      write({
        kind: 'undecodable',
        offset,
        reason: code,
        detail: message,
        octets: bytes.toString('hex', 0, OCTETS_SHOWN),
      });
    } else {
      for (let at = block.start; at < block.end; ) {
        const offset = block.streamOffset + at - block.start;
        const length = block.buffer.readUInt16BE(at + 2);
        const header = writeHeader(block.buffer.subarray(at, at + length), offset, write);
        session.decodeMessage(block.buffer.subarray(at, at + length), offset, sink);
        for (const template of session.domains.get(header)?.templates.values() ?? []) {
          if (templates.has(template)) continue;
          templates.add(template);
          write({ kind: 'template', offset, ...templateToJson(template) });
        }
        at += length;
        if (lines.length > 1000) lines = await flush(lines, out);
      }
    }
  }
  session.finish(sink);
  await flush(lines, out);
  return undecodable;
}

/** @returns the observation domain of the message */
function writeHeader(message: Buffer, offset: number, write: (line: DecodedLine) => void): number {
  const observationDomainId = message.readUInt32BE(12);
  const exportTime = new Date(message.readUInt32BE(4) * 1000).toISOString();
  write({
    kind: 'message',
    offset,
    length: message.length,
    exportTime,
    sequenceNumber: message.readUInt32BE(8),
    observationDomainId,
  });
  return observationDomainId;
}

async function flush(lines: readonly string[], out: Writable): Promise<string[]> {
  if (lines.length > 0 && !out.write(`${lines.join('\n')}\n`)) await once(out, 'drain');
  return [];
}
