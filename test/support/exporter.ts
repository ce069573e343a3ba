import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import type { Program } from './processes.ts';

const fixtures = path.join(import.meta.dirname, '../fixtures');
const HEADER_LENGTH = 16;
const SET_HEADER_LENGTH = 4;

/** What a real exporter wrote: a file of test/fixtures by its name without `.ipfix` or `.ipfix.gz`. */
export function recorded(name: string): Buffer {
  const file = path.join(fixtures, `${name}.ipfix`);
  return existsSync(file) ? readFileSync(file) : gunzipSync(readFileSync(`${file}.gz`));
}

/** The whole messages at the start of a stream, by their length fields. */
export function messagesOf(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at + HEADER_LENGTH <= stream.length; ) {
    const length = stream.readUInt16BE(at + 2);
    if (length < HEADER_LENGTH || at + length > stream.length) break;
    messages.push(stream.subarray(at, at + length));
    at += length;
  }
  return messages;
}

/** A stream cut into pieces of the sizes that `nextSize` gives. */
export function* pieces(stream: Buffer, nextSize: () => number): Generator<Buffer> {
  for (let at = 0; at < stream.length; ) {
    const size = Math.max(1, nextSize());
    yield stream.subarray(at, at + size);
    at += size;
  }
}

/** Each message header and first set header octet by octet, the rest of the message in one piece. */
export function* headersByOctet(stream: Buffer): Generator<Buffer> {
  for (const message of messagesOf(stream)) {
    const head = Math.min(message.length, HEADER_LENGTH + SET_HEADER_LENGTH);
    for (let at = 0; at < head; at++) yield message.subarray(at, at + 1);
    if (head < message.length) yield message.subarray(head);
  }
}

/**
 * Connects to a collector on loopback that may still be starting.
 * @throws Error after 45 seconds, or with what `collector` wrote when it has ended
 */
export async function connectExporter(port: number, collector?: Program): Promise<Socket> {
  for (const deadline = Date.now() + 45_000; ; ) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      socket.destroy();
      collector?.mustRun();
      if (Date.now() > deadline) throw error;
      await delay(20);
    }
  }
}

/**
 * Writes the pieces one by one, each in a TCP segment of its own as far as the kernel goes along.
 * @param pauseMs between any two
 */
export async function write(socket: Socket, chunks: Iterable<Buffer>, pauseMs = 0): Promise<void> {
  for (const chunk of chunks) {
    if (!socket.write(chunk)) await once(socket, 'drain');
    await (pauseMs === 0 ? turn() : delay(pauseMs));
  }
}

/** Sends a whole stream over a connection of its own, and ends that. @returns the exporter's port */
export async function exportStream(port: number, chunks: Iterable<Buffer>, pauseMs = 0): Promise<number> {
  const socket = await connectExporter(port);
  const { localPort = 0 } = socket;
  socket.resume();
  await write(socket, chunks, pauseMs);
  socket.end();
  await once(socket, 'close');
  return localPort;
}
