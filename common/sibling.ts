/** URL of a module beside another one, for a thread: the built program has .js files, the source tree .ts. */
export function sibling(moduleUrl: string, name: string): URL {
  return new URL(`./${name}${moduleUrl.slice(moduleUrl.lastIndexOf('.'))}`, moduleUrl);
}
