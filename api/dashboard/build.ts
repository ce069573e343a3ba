import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Browsers that have what the source uses unchanged: those of the last two years. */
const BROWSERS = ['chrome120', 'firefox121', 'safari17'];
const source = join(import.meta.dirname, 'source');
const built = join(import.meta.dirname, 'built');

/** Bundles the dashboard into `built`: files named after their content, each also compressed as far as it goes. */
async function buildDashboard(): Promise<void> {
  await mkdir(built, { recursive: true });
  const { outputFiles } = await build({
    entryPoints: [join(source, 'main.tsx'), join(source, 'style.css')],
    entryNames: '[name]-[hash]',
    outdir: built,
    bundle: true,
    minify: true,
    format: 'esm',
    target: BROWSERS,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'eof',
    tsconfigRaw: '{}',
    write: false,
  });
  const names = outputFiles.map(({ path }) => basename(path));
  const page = (await readFile(join(source, 'index.html'), 'utf8')).replace(
    /\{(\w+)\.(js|css)\}/g,
    (_, stem, type) => {
      const name = names.find(each => each.startsWith(`${stem}-`) && each.endsWith(`.${type}`));
      if (name === undefined) throw new Error(`index.html names ${stem}.${type}, which was not built`);
      return `assets/${name}`;
    },
  );
  const files = [
    ...outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
    { name: 'index.html', contents: Buffer.from(page) },
  ];
  const best = { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } };
  const written = files.flatMap(({ name, contents }) => [
    { name, contents },
    { name: `${name}.gz`, contents: gzipSync(contents, { level: 9 }) },
    { name: `${name}.br`, contents: brotliCompressSync(contents, best) },
  ]);
  // a server that starts meanwhile finds whole files
  for (const { name, contents } of written) {
    await writeFile(join(built, `.${name}.${process.pid}`), contents);
    await rename(join(built, `.${name}.${process.pid}`), join(built, name));
  }
  for (const name of await readdir(built))
    if (!name.startsWith('.') && !written.some(each => each.name === name))
      await rm(join(built, name), { force: true });
}

await buildDashboard();
