import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Session, type Sink, templateToJson } from '../ipfix/index.ts';
import { readMessages } from '../source/messages.ts';

/** What one file of messages shows of its exporter's health. */
export interface FileHealth {
  readonly path: string;
  readonly messages: number;
  readonly dataRecords: number;
  readonly lastExportTime: string | null;
  /** Seconds that the last export time is ahead of the file's last change: the sensor's clock. */
  readonly clockSkewSeconds: number | null;
  readonly sequenceGaps: number;
  readonly recordsLost: number;
  readonly templates: readonly {
    readonly templateId: number;
    readonly observationDomainId: number;
    readonly fields: number;
    readonly records: number;
    readonly has: string;
  }[];
  /** Elements that are in no table and that the exporter does not describe. */
  readonly unknownElements: readonly string[];
  readonly undecodable: Readonly<Record<string, number>>;
}

/** Beyond this a clock is wrong. */
export const SKEW_SECONDS = 120;

/** Reads a file of messages and reports on its exporter. @throws SourceError when the file cannot be read */
export async function examineFile(path: string): Promise<FileHealth> {
  const session = new Session();
  const used = new Map<unknown, number>();
  const undecodable: Record<string, number> = {};
  let messages = 0;
  let lastExport: number | undefined;
  const sink: Sink = {
    dataRecord: ({ template }) => used.set(template, (used.get(template) ?? 0) + 1),
    undecodable: ({ code }) => {
      undecodable[code] = (undecodable[code] ?? 0) + 1;
    },
  };
  for await (const block of readMessages(path)) {
    if (block.bad !== undefined) {
      undecodable[block.bad.code] = (undecodable[block.bad.code] ?? 0) + 1;
      continue;
    }
    for (let at = block.start; at < block.end; ) {
      const length = block.buffer.readUInt16BE(at + 2);
      const header = session.decodeMessage(
        block.buffer.subarray(at, at + length),
        block.streamOffset + at - block.start,
        sink,
      );
      lastExport = Math.max(lastExport ?? 0, header.exportTime);
      messages++;
      at += length;
    }
  }
  session.finish(sink);
  const domains = [...session.domains.values()];
  const templates = domains.flatMap(({ templates }) => [...templates.values()]);
  return {
    path,
    messages,
    dataRecords: domains.reduce((sum, domain) => sum + domain.dataRecords, 0),
    lastExportTime: lastExport === undefined ? null : new Date(lastExport * 1000).toISOString(),
    clockSkewSeconds:
      lastExport === undefined ? null : Math.round(lastExport - statSync(path).mtimeMs / 1000),
    sequenceGaps: domains.reduce((sum, domain) => sum + domain.sequenceGaps, 0),
    recordsLost: domains.reduce((sum, domain) => sum + domain.recordsLost, 0),
    templates: templates.map(template => ({
      templateId: template.id,
      observationDomainId: template.observationDomainId,
      fields: template.fields.length,
      records: used.get(template) ?? 0,
      has: JSON.stringify(templateToJson(template).fields),
    })),
    unknownElements: [
      ...new Set(
        templates.flatMap(({ fields }) =>
          fields.filter(f => !f.element.known).map(f => `${f.element.pen}/${f.element.id}`),
        ),
      ),
    ],
    undecodable,
  };
}

/** The newest files of received or dropped messages below a home directory. */
export function newestFiles(home: string, count: number): string[] {
  return ['journal', join('incoming', 'archive'), 'incoming']
    .flatMap(folder => filesIn(join(home, folder)))
    .sort((a, b) => b.modifiedAt - a.modifiedAt)
    .slice(0, count)
    .map(({ path }) => path);
}

function filesIn(folder: string): { path: string; modifiedAt: number }[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && /\.(ipfix|yaf|med|dat)(\.gz)?$/i.test(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .map(path => ({ path, modifiedAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }));
}

/** Health in words, with what to do about each thing that is wrong. */
export function describeHealth(health: FileHealth): string {
  const lines = [
    `${health.path}`,
    `  ${health.messages} messages, ${health.dataRecords} data records, last export ${health.lastExportTime ?? 'never'}`,
  ];
  const skew = health.clockSkewSeconds;
  if (skew !== null && skew > SKEW_SECONDS)
    lines.push(`  clock: the exporter is ${skew} s ahead of this machine; run NTP on both`);
  if (health.sequenceGaps > 0)
    lines.push(
      `  gaps: ${health.recordsLost} data records missing in ${health.sequenceGaps} gaps; the exporter or the network lost them before they came here`,
    );
  if (health.unknownElements.length > 0)
    lines.push(
      `  unknown elements (enterprise/number), kept as octets: ${health.unknownElements.join(', ')}`,
    );
  for (const [reason, count] of Object.entries(health.undecodable))
    lines.push(`  undecodable: ${reason} ${count} times; see "dnstrail decode ${health.path}"`);
  for (const t of health.templates.filter(({ records }) => records > 0))
    lines.push(
      `  template ${t.templateId} (domain ${t.observationDomainId}): ${t.fields} fields, ${t.records} records`,
    );
  const isDns = health.templates.some(
    ({ has }) => has.includes('"dnsRRType"') || has.includes('"cesnetDnsName"'),
  );
  if (health.messages > 0 && !isDns)
    lines.push(
      '  no DNS templates: start YAF with --applabel and its DNS plugin (2.x) or --dpi (3.x), see the README',
    );
  return lines.join('\n');
}
