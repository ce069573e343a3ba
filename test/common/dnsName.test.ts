import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalName, canonicalText, nameFromWire, quotedText } from '../../common/dnsName.ts';

const PRINTABLE = /^[ -~]*$/;
const latin1 = (octets: Uint8Array) => Buffer.from(octets).toString('latin1');

/** Escapes as YAF 2.16 and 3.x do: `.` only in names. */
function yafEscape(octets: string, dots: '.' | '' = ''): string {
  return octets.replace(/[^ -~]|[\\.]/g, character => {
    if (character === '.') return dots === '.' ? '\\.' : '.';
    if (character === '\\') return '\\\\';
    if (character === '\n') return '\\n';
    return `\\x${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}

/** A name on the wire (RFC 1035 §3.1), uncompressed. */
function wireName(labels: readonly Uint8Array[]): Buffer {
  return Buffer.concat([...labels.flatMap(label => [Buffer.of(label.length), label]), Buffer.of(0)]);
}

const anyOctets = fc.uint8Array({ maxLength: 80 }).map(latin1);
const label = fc.uint8Array({ minLength: 1, maxLength: 20 });
const labels = fc.array(label, { minLength: 1, maxLength: 6 });
/** Octets that tempt the code: dots, backslashes, what follows a backslash in some escape, capitals. */
const temptingOctets = fc.string({
  unit: fc.constantFrom(
    '.',
    '\\',
    'n',
    'x',
    '0',
    '3',
    '2',
    '4',
    '1',
    'F',
    'A',
    'z',
    '"',
    '$',
    ' ',
    '\0',
    '\n',
    '\xe9',
  ),
  maxLength: 14,
});

describe('canonicalName', () => {
  it.each([
    ['www.example.com.', 'www.example.com.'],
    ['WwW.Example.COM.', 'www.example.com.'],
    ['_sip._udp.xn--caf-dma.example.', '_sip._udp.xn--caf-dma.example.'],
    ['www.example.com', 'www.example.com.'],
    ['com', 'com.'],
    ['.', '.'],
    ['*.wild.example.', '*.wild.example.'],
  ])('gives %j as %j', (octets, name) => {
    expect(canonicalName(octets)).toBe(name);
  });

  it('has no name for the empty string', () => {
    expect(canonicalName('')).toBeNull();
  });

  it.each([
    ['dot\\.in\\.label.corp.example.', 'dot\\.in\\.label.corp.example.'],
    ['back\\\\slash.corp.example.', 'back\\\\slash.corp.example.'],
    ['back\\\\x41.corp.example.', 'back\\\\x41.corp.example.'],
    ['bin\\x00\\x01\\xFFX.corp.example.', 'bin\\000\\001\\255x.corp.example.'],
    ['caf\\xC3\\xA9.corp.example.', 'caf\\195\\169.corp.example.'],
    ['new\\nline.corp.example.', 'new\\010line.corp.example.'],
    ['tab\\x09del\\x7F.example.', 'tab\\009del\\127.example.'],
    ['ends.with.dot\\.', 'ends.with.dot\\..'],
    ['\\x41.example.', 'a.example.'],
  ])('reads the escapes of YAF 2.16 in %j', (octets, name) => {
    expect(canonicalName(octets)).toBe(name);
  });

  it.each([
    ['back\\slash.corp.example.', 'back\\\\slash.corp.example.'],
    ['bin\0\x01\xffX.corp.example.', 'bin\\000\\001\\255x.corp.example.'],
    ['new\nline.corp.example', 'new\\010line.corp.example.'],
    ['\xc9t\xe9.example.', '\\201t\\233.example.'],
    ['\\n and NUL \0.example.', '\\\\n\\032and\\032nul\\032\\000.example.'],
    ['lower hex \\xff.example.', 'lower\\032hex\\032\\\\xff.example.'],
    ['no such number \\256.example.', 'no\\032such\\032number\\032\\\\256.example.'],
    ['at the end\\', 'at\\032the\\032end\\\\.'],
  ])('takes %j for raw octets', (octets, name) => {
    expect(canonicalName(octets)).toBe(name);
  });

  it.each([
    ['space name.example.', 'space\\032name.example.'],
    ['quote"name.example.', 'quote\\"name.example.'],
    ['semi;colon.example.', 'semi\\;colon.example.'],
    ['at@sign.example.', 'at\\@sign.example.'],
    ['dol$lar.example.', 'dol\\$lar.example.'],
    ['par(en)s.example.', 'par\\(en\\)s.example.'],
  ])('escapes what a zone file would misread in %j', (octets, name) => {
    expect(canonicalName(octets)).toBe(name);
  });

  it.each(['a..b.', '..', '.a.', 'many.big..'])('takes %j, which has lost labels, for no name', octets => {
    expect(canonicalName(octets)).toBeNull();
  });

  it('gives printable ASCII with a final dot, without empty labels, for any octets', () => {
    fc.assert(
      fc.property(fc.oneof(anyOctets, temptingOctets, fc.string()), octets => {
        const name = canonicalName(octets);
        if (name === null) return octets === '' || /^\.|\.\./.test(octets);
        expect(name).toMatch(PRINTABLE);
        const names = (name ?? '').replace(/\\(\d{3}|.)/g, 'o');
        expect(names).toMatch(/^(?:\.|(?:[^. "();@$\\A-Z]+\.)+)$/);
        return true;
      }),
    );
  });

  it('does not change what is canonical', () => {
    fc.assert(
      fc.property(fc.oneof(anyOctets, temptingOctets), octets => {
        const name = canonicalName(octets);
        if (name !== null) expect(canonicalName(name)).toBe(name);
      }),
    );
  });

  it('gives the same name for the escaped dialect, the raw dialect and the wire', () => {
    fc.assert(
      fc.property(labels, labelOctets => {
        const { name } = nameFromWire(wireName(labelOctets), 0) ?? {};
        const escaped = labelOctets.map(octets => `${yafEscape(latin1(octets), '.')}.`).join('');
        expect(canonicalName(escaped)).toBe(name);
        const isTellingInRaw = labelOctets.every(octets => !octets.includes(0x2e) && !octets.includes(0x5c));
        const raw = labelOctets.map(octets => `${latin1(octets)}.`).join('');
        if (isTellingInRaw) {
          expect(canonicalName(raw)).toBe(name);
          expect(canonicalName(raw.slice(0, -1))).toBe(name);
        }
      }),
    );
  });

  it('ignores the case of ASCII letters and of them alone', () => {
    fc.assert(
      fc.property(labels, labelOctets => {
        const raw = labelOctets.map(octets => `${latin1(octets)}.`).join('');
        const shouted = raw.replace(/(?<!\\)[a-z]/g, letter => letter.toUpperCase());
        if (!raw.includes('\\')) expect(canonicalName(shouted)).toBe(canonicalName(raw));
      }),
    );
    expect(canonicalName('\xc9.')).not.toBe(canonicalName('\xe9.'));
  });
});

describe('nameFromWire', () => {
  const bytes = (...parts: (string | number)[]) =>
    Buffer.concat(
      parts.map(part => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.of(part))),
    );

  it('reads a name and says where the next field begins', () => {
    const message = bytes(99, 3, 'WwW', 7, 'example', 0, 99);
    expect(nameFromWire(message, 1)).toEqual({ name: 'www.example.', next: 14 });
  });

  it('reads the root', () => {
    expect(nameFromWire(bytes(0), 0)).toEqual({ name: '.', next: 1 });
  });

  it('escapes dots inside labels and octets that are not printable', () => {
    const message = bytes(5, 'a.b\\c', 4, '\0 \n\xff', 0);
    expect(nameFromWire(message, 0)).toEqual({ name: 'a\\.b\\\\c.\\000\\032\\010\\255.', next: 12 });
  });

  it('follows pointers to pointers and goes on after the first', () => {
    //                     0           8           11: pointer to 0   13               17: pointer to 13
    const message = bytes(3, 'com', 0, 1, 'b', 0xc0, 0, 1, 'a', 0xc0, 5, 0xc0, 9, 99);
    expect(nameFromWire(message, 5)).toEqual({ name: 'b.com.', next: 9 });
    expect(nameFromWire(message, 9)).toEqual({ name: 'a.b.com.', next: 13 });
    expect(nameFromWire(message, 13)).toEqual({ name: 'a.b.com.', next: 15 });
  });

  it('reads names of 255 octets whose octets all need escapes', () => {
    const long = [63, 63, 63, 61].map(length => Buffer.alloc(length, 0xff));
    const { name } = nameFromWire(wireName(long), 0) ?? {};
    expect(name).toHaveLength(250 * 4 + 4);
    const tooLong = [63, 63, 63, 62].map(length => Buffer.alloc(length, 0xff));
    expect(nameFromWire(wireName(tooLong), 0)).toBeNull();
  });

  it.each([
    ['that ends in a label', bytes(3, 'ab')],
    ['without its root label', bytes(2, 'ab')],
    ['that ends in a pointer', bytes(2, 'ab', 0xc0)],
    ['of label type 01', bytes(0x41, 'a'.repeat(70), 0)],
    ['of label type 10', bytes(0x81, 'a'.repeat(70), 0)],
    ['that points to itself', bytes(0xc0, 0)],
    ['that points forward', bytes(0xc0, 2, 1, 'a', 0)],
    ['that points into itself', bytes(1, 'a', 1, 'b', 0xc0, 2)],
  ])('refuses a name %s', (_, message) => {
    expect(nameFromWire(message, 0)).toBeNull();
  });

  it.each([0x40, 0x80, 0xbf])('does not take label type %i for a pointer', type => {
    expect(nameFromWire(bytes(0, type, 0), 1)).toBeNull();
    expect(nameFromWire(bytes(0, 0xc0, 0), 1)).toEqual({ name: '.', next: 3 });
  });

  it('refuses a chain of pointers longer than any name can need', () => {
    const chain = (links: number) =>
      Buffer.concat([bytes(0, 0), ...Array.from({ length: links }, (_, i) => bytes(0xc0, 2 * i))]);
    expect(nameFromWire(chain(127), 2 * 127)).toEqual({ name: '.', next: 2 * 127 + 2 });
    expect(nameFromWire(chain(128), 2 * 128)).toBeNull();
  });

  it('never throws and gives a canonical name or null for any octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(60), (octets, at) => {
        const found = nameFromWire(Buffer.from(octets), at);
        if (found) expect(canonicalName(found.name)).toBe(found.name);
      }),
    );
  });
});

describe('canonicalText', () => {
  it.each([
    ['', '""'],
    ['v=spf1 -all', '"v=spf1 -all"'],
    ['Case.Stays; $ORIGIN (x) @', '"Case.Stays; $ORIGIN (x) @"'],
    ['say "hi"', '"say \\"hi\\""'],
    ['a\\\\b', '"a\\\\b"'],
    ['a\\xC3\\xA9\\n\\x00', '"a\\195\\169\\010\\000"'],
    ['a\xc3\xa9\n\0', '"a\\195\\169\\010\\000"'],
    ['raw \\ here', '"raw \\\\ here"'],
    ['raw \\. and \\032', '"raw \\\\. and \\\\032"'],
  ])('writes %j as %s', (octets, text) => {
    expect(canonicalText(octets)).toBe(text);
  });

  it('gives for the escapes of YAF what quotedText gives for the octets', () => {
    fc.assert(
      fc.property(fc.oneof(anyOctets, temptingOctets), octets => {
        const text = canonicalText(yafEscape(octets));
        expect(text).toBe(quotedText(octets));
        expect(text).toMatch(PRINTABLE);
        expect(canonicalText(octets)).toMatch(PRINTABLE);
      }),
    );
  });
});
