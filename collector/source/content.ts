import { type FileHandle, open } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';

/** A file that cannot be read, or not to its end. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  /** `GZIP`: the compressed data is damaged or cut; else the system's code (`ENOENT`, `EACCES`, `EISDIR`, `EIO` …). */
  readonly code: string;
  readonly path: string;

  constructor(code: string, path: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
    this.path = path;
  }
}

/** Tells the reader of a file that is still being written when to look again. */
export interface Follow {
  /**
   * Called when everything up to `size` (octets of the file as stored) was read.
   * Resolves to true when there may be more, to false once the file is closed: what is left then is final.
   */
  waitForGrowth(size: number): Promise<boolean>;
}

/** The octets of one file, gunzipped where it is compressed, read once from front to back. */
export interface Content {
  /**
   * Fills `buffer` from `at` on, as far as octets are at hand; resolves to their number, 0 at the end.
   * @throws SourceError `GZIP` after the last octet that could be inflated, or a system code
   */
  read(buffer: Buffer, at: number): Promise<number>;
  close(): Promise<void>;
  /** Octets worth asking for at once: a small file needs no large buffer. */
  readonly portion: number;
}

type Read = Content['read'];

/** One piece inflates to at most 1032 times its size: this bounds what a zip bomb can make us hold to 16 MiB. */
const PIECE = 16 * 1024;

/** Octets read at once from a large file. */
const PORTION = 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied; make it readable for the user that runs dnstrail',
  EPERM: 'permission denied; make it readable for the user that runs dnstrail',
  EISDIR: 'it is a directory, not a file',
  EMFILE: 'too many open files; raise the limit (ulimit -n)',
};

/**
 * Opens a file for reading. Whether it is gzip is told by its first octets (RFC 1952 section 2.3.1), not by its name.
 * @throws SourceError with the system's code and a reason in words
 */
export async function openContent(path: string, follow?: Follow): Promise<Content> {
  const file = await openFile(path);
  const stored = storedOctets(file, path, follow);
  try {
    const magic = Buffer.alloc(2);
    let length = 0;
    for (let count = -1; length < magic.length && count !== 0; length += count)
      count = await stored(magic, length);
    const read = prefixed(magic.subarray(0, length), stored);
    if (magic.readUInt16BE(0) === 0x1f8b) return inflatedContent(file, path, read);
    const status = await file.stat();
    const isComplete = status.isFile() && follow === undefined;
    const portion = isComplete ? Math.min(PORTION, Math.max(PIECE, status.size)) : PORTION;
    return { read, close: () => file.close(), portion };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    const file = await open(path, 'r');
    const isDirectory = (await file.stat()).isDirectory();
    if (!isDirectory) return file;
    await file.close();
  } catch (error) {
    throw readError(path, error);
  }
  throw readError(path, { code: 'EISDIR' });
}

function readError(path: string, error: unknown): SourceError {
  const { code = 'EIO', message } = error as NodeJS.ErrnoException;
  return new SourceError(code, path, `cannot read ${path}: ${REASONS[code] ?? message} (${code})`, error);
}

/** Reads the file as it is stored: on from where the handle stands (a pipe has no other way), or from its start. */
function storedOctets(
  file: FileHandle,
  path: string,
  follow?: Follow,
  from: 'here' | 'start' = 'here',
): Read {
  let size = 0;
  let growing = follow !== undefined;
  return async (buffer, at) => {
    for (;;) {
      const position = from === 'here' ? null : size;
      const { bytesRead } = await file.read(buffer, at, buffer.length - at, position).catch(error => {
        throw readError(path, error);
      });
      size += bytesRead;
      if (bytesRead > 0 || !growing) return bytesRead;
      growing = (await follow?.waitForGrowth(size)) ?? false;
    }
  };
}

/** Gives `head` again before what `read` has. */
function prefixed(head: Buffer, read: Read): Read {
  return async (buffer, at) => {
    if (head.length === 0) return read(buffer, at);
    const count = head.copy(buffer, at);
    head = head.subarray(count);
    return count;
  };
}

function inflatedContent(file: FileHandle, path: string, stored: Read): Content {
  const chunks = inflateExactly(file, path, stored);
  let rest: Buffer = Buffer.alloc(0);
  return {
    async read(buffer, at) {
      while (rest.length === 0) {
        const next = await chunks.next();
        if (next.done) return 0;
        rest = next.value;
      }
      const count = rest.copy(buffer, at);
      rest = rest.subarray(count);
      return count;
    },
    async close() {
      await chunks.return(undefined);
      await file.close();
    },
    portion: PORTION,
  };
}

/**
 * On an error zlib keeps to itself what it had inflated of the piece at fault, up to a whole output buffer, even when
 * only the checksum at the very end is wrong. So the file is then inflated again, and that piece octet by octet.
 */
async function* inflateExactly(file: FileHandle, path: string, stored: Read): AsyncGenerator<Buffer, void> {
  let given = 0;
  let fed = 0;
  try {
    const pieces = piecesOf(stored, at => {
      fed = at;
      return PIECE;
    });
    for await (const chunk of inflate(path, pieces)) {
      given += chunk.length;
      yield chunk;
    }
  } catch (error) {
    const lossless = !(error instanceof SourceError) || error.code !== 'GZIP' || isCut(error.cause);
    if (lossless || !(await file.stat()).isFile()) throw error;
    const pieces = piecesOf(storedOctets(file, path, undefined, 'start'), at =>
      Math.min(PIECE, Math.max(1, fed - at)),
    );
    for await (const chunk of inflate(path, pieces)) {
      const known = Math.min(chunk.length, given);
      given -= known;
      if (known < chunk.length) yield chunk.subarray(known);
    }
    throw error;
  }
}

/** The input in pieces of the wanted size; a piece is valid until the next pull. */
async function* piecesOf(read: Read, lengthAt: (position: number) => number): AsyncGenerator<Buffer, void> {
  const buffer = Buffer.allocUnsafe(PIECE);
  for (let position = 0; ; ) {
    const count = await read(buffer.subarray(0, lengthAt(position)), 0);
    if (count === 0) return;
    position += count;
    yield buffer.subarray(0, count);
  }
}

/** Inflates piece by piece; members may follow one another, zero octets may pad the end (RFC 1952 section 2.2). */
async function* inflate(path: string, pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void> {
  let inflated: Buffer[] = [];
  let ended = false;
  let failure: Error | undefined;
  let wake = (): void => {};
  const gunzip = createGunzip({ chunkSize: 64 * 1024 });
  gunzip.on('data', (chunk: Buffer) => inflated.push(chunk));
  gunzip.on('end', () => {
    ended = true;
    wake();
  });
  gunzip.on('error', error => {
    failure = error;
    wake();
  });
  const step = (act: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise(resolve => {
      wake = resolve;
      act(error => {
        failure ??= error ?? undefined;
        resolve();
      });
    });
  const taken = (): Buffer[] => {
    const chunks = inflated;
    inflated = [];
    return chunks;
  };
  try {
    for await (const piece of pieces) {
      if (!ended) await step(done => gunzip.write(piece, done));
      else if (piece.some(octet => octet !== 0)) failure = new Error('octets follow the compressed data');
      yield* taken();
      if (failure) break;
    }
    if (!failure && !ended) await step(() => gunzip.end());
    yield* taken();
    if (failure) throw gzipError(path, failure);
  } finally {
    gunzip.destroy();
  }
}

function gzipError(path: string, cause: Error): SourceError {
  const what = isCut(cause)
    ? 'the compressed data is cut short'
    : `the compressed data is damaged (${cause.message})`;
  return new SourceError('GZIP', path, `cannot read ${path} to its end: ${what}`, cause);
}

function isCut(cause: unknown): boolean {
  return (cause as NodeJS.ErrnoException).code === 'Z_BUF_ERROR';
}
