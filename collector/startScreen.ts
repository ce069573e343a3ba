import type { Config } from '../common/config.ts';
import type { Database } from '../common/database.ts';

/** What a person needs to go on, once everything runs. */
export function startScreen(running: {
  config: Config;
  database: Database;
  watched: string;
  /** Of the query API, when it runs here. */
  api?: { readonly host: string; readonly port: number } | undefined;
}): string {
  const { config, database, watched, api } = running;
  const { host, port } = config.listen;
  const target = `--ipfix tcp --out ${host === '0.0.0.0' || host === '::' ? 'THIS-HOST' : host} --ipfix-port ${port}`;
  const { embedded } = database;
  const place =
    embedded === undefined
      ? 'named by DATABASE_URL'
      : `embedded, data in ${embedded.dataDirectory} (run by ${embedded.serverUser}), log ${embedded.logFile}`;
  const url = api && `http://${api.host.includes(':') ? `[${api.host}]` : api.host}:${api.port}`;
  return `
dnstrail is running
${url === undefined ? '' : `\n  dashboard        ${url}/\n  query API        export DNSDB_SERVER=${url} DNSDB_API_KEY=any; dnsdbq -r www.example.com`}
  IPFIX over TCP   ${host}:${port}
  files            drop them into ${watched}
  journal          ${config.home}/journal
  PostgreSQL       ${place}
  ask              ${database.psqlLine}
                   npx dnstrail sql "select rrname, rdata, client, time from dns_rr limit 5"
  look after it    npx dnstrail status      npx dnstrail doctor

Point a sensor at it:
  YAF 2.x   yaf --live pcap --in eth0 ${target} --applabel --max-payload 4096 \\
              --plugin-name dpacketplugin.so --plugin-opts "53 dnssec" --udp-uniflow 53 --export-payload --max-export 4096
  YAF 3.x   yaf --live pcap --in eth0 ${target} --dpi --max-payload 4096 \\
              --udp-uniflow 53 --export-payload --max-export 4096
${embedded?.tcpUrl === undefined ? '' : `\nPostgreSQL over TCP: ${embedded.tcpUrl}\n`}
Ctrl-C stops it; the next start goes on where it was.
`;
}
