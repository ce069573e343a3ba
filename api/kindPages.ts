import { readFileSync } from 'node:fs';

/** What the manual says of one kind of detection. Markdown. */
export interface KindPage {
  readonly kind: string;
  readonly question: string;
  readonly explanation: string;
  readonly source: string | null;
  readonly fooled_by: string | null;
  readonly thresholds: readonly {
    readonly name: string;
    readonly default: string;
    readonly meaning: string;
  }[];
}

/** The manual, from the source tree and from below dist. */
const MANUALS = ['../analytics/README.md', '../../analytics/README.md'];

/** The pages of all kinds, in the order of the manual; none where it is missing. */
export function readKindPages(): readonly KindPage[] {
  for (const manual of MANUALS)
    try {
      return kindPagesOf(readFileSync(new URL(manual, import.meta.url), 'utf8'));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  return [];
}

/** The sections below `## Kinds`: a question in bold, how it is answered, a source, a table of thresholds, what fools it. */
function kindPagesOf(manual: string): KindPage[] {
  const [, kinds = ''] = manual.split(/^## Kinds$/m);
  return kinds
    .split(/^### /m)
    .slice(1)
    .map(section => {
      const [kind = '', ...paragraphs] = section.split(/\n\n+/).map(text => text.trim());
      const bold = paragraphs.findIndex(text => /^\*\*.*\*\*$/s.test(text));
      const beginning = (word: string) =>
        paragraphs.find(text => text.startsWith(word))?.slice(word.length) ?? null;
      return {
        kind,
        question: (paragraphs[bold] ?? '').replaceAll('**', ''),
        explanation: paragraphs[bold + 1] ?? '',
        source: beginning('Source: '),
        fooled_by: beginning('What fools it: '),
        thresholds: [...section.matchAll(/^\| `(\w+)` \| (.*?) \| (.*) \|$/gm)].map(
          ([, name = '', value = '', meaning = '']) => ({ name, default: value, meaning }),
        ),
      };
    });
}
