/**
 * Writes elements.generated.ts from the element tables in elements/*.csv:
 * `node collector/ipfix/generateElements.ts`
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { abstractTypeNames } from './types.ts';

const tables = [
  { file: 'iana.csv', title: 'IANA "IPFIX Information Elements"' },
  { file: 'cert.csv', title: 'CERT (PEN 6871)' },
  { file: 'cesnet.csv', title: 'CESNET (PEN 8057), DNS elements of ipfixprobe' },
];

const lines = tables.flatMap(({ file, title }) => {
  const [head, ...rows] = readFileSync(new URL(`elements/${file}`, import.meta.url), 'utf8')
    .trim()
    .split(/\r?\n/);
  const columns = head?.split(',') ?? [];
  const elements = rows.map(row => {
    const cells = row.split(',');
    return Object.fromEntries(columns.map((column, i) => [column, cells[i] ?? '']));
  });
  return [
    `  // ${title}`,
    ...elements
      .filter(element => abstractTypeNames.some(name => name === element.type))
      .map(e => `  [${e.pen ?? 0}, ${e.number}, '${e.name}', '${e.type}', '${e.semantics}', '${e.units}'],`),
  ];
});

writeFileSync(
  new URL('elements.generated.ts', import.meta.url),
  `// Generated from elements/*.csv by generateElements.ts. Do not edit.
import type { AbstractTypeName } from './types.ts';

/** Enterprise number (0: IANA), element id, name, abstract data type, semantics, units. */
export type ElementRow = readonly [number, number, string, AbstractTypeName, string, string];

export const elementRows: readonly ElementRow[] = [
${lines.join('\n')}
];
`,
);
