import { type Agent, get } from 'node:http';

/** Asks the query API on loopback for `path` and reads the answer to its end. @returns what was wrong with it, if anything */
export function ask(port: number, path: string, agent: Agent): Promise<string | undefined> {
  return new Promise(resolve => {
    const sent = get({ port, path, agent }, response => {
      let end = '';
      response.setEncoding('latin1').on('data', (chunk: string) => {
        end = (end + chunk).slice(-200);
      });
      response.on('error', error => resolve(String(error)));
      response.on('end', () => {
        const isWhole = /"cond":"(succeeded|limited)"|"next":null\}/.test(end);
        resolve(response.statusCode === 200 && isWhole ? undefined : `${response.statusCode} ${end}`);
      });
    });
    sent.on('error', error => resolve(String(error)));
  });
}
