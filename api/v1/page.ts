import type { Endpoint } from './endpoint.ts';

/** The document as a page to read: no script, nothing from elsewhere. */
export function documentPage(endpoints: readonly Endpoint[]): string {
  const sections = endpoints.map(({ method, path, summary, description, input, row }) => {
    const parameters = Object.entries(input.shape).map(
      ([name, schema]) => `<tr><td><code>${name}</code></td><td>${escaped(textOf(schema))}</td></tr>`,
    );
    const fields = Object.keys(row.shape)
      .map(name => `<code>${name}</code>`)
      .join(', ');
    return `<h2>${escaped(summary)}</h2><p><code>${method.toUpperCase()} /api/v1${path}</code></p><p>${escaped(description)}</p><table>${parameters.join('')}</table><p>Rows: ${fields}</p>`;
  });
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>dnstrail API</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}</style>
<h1>dnstrail API</h1><p>Lists are JSON, NDJSON (<code>Accept: application/x-ndjson</code>) or CSV (<code>Accept: text/csv</code>). The same for programs: <a href="openapi.json">openapi.json</a>.</p>
${sections.join('\n')}</html>
`;
}

function textOf(schema: unknown): string {
  const { description } = schema as { description?: string }; // of every schema of zod
  return description ?? '';
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
