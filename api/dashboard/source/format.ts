const whole = new Intl.NumberFormat('en');
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
});
const dayClock = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
});
const yearDayClock = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  hour12: false,
});

/** 12,345 */
export const count = (value: number): string => whole.format(value);
/** 12.3K */
export const brief = (value: number): string =>
  value < 10_000 ? whole.format(Math.round(value * 10) / 10) : short.format(value);

/** 1.2 GB */
export function octets(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = value < 1 ? 0 : Math.min(4, Math.floor(Math.log10(value) / 3));
  const scaled = value / 1000 ** power;
  return `${scaled.toFixed(scaled < 10 && power > 0 ? 1 : 0)} ${units[power]}`;
}

/** 45 s, 12 min, 3.5 h, 2 d */
export function duration(seconds: number): string {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${(seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0)} h`;
  return `${(seconds / 86_400).toFixed(seconds < 864_000 ? 1 : 0)} d`;
}

/** In the user's zone; the year only where it is not this one. */
export function moment(time: Date): string {
  return (time.getFullYear() === new Date().getFullYear() ? dayClock : yearDayClock).format(time);
}

/** With seconds. */
export const exactMoment = (time: Date): string =>
  `${moment(time).replace(/\d\d:\d\d$/, '')}${clock.format(time)}`;

export const clockTime = (time: Date): string => clock.format(time);

/** 2026-03-02 12:00:00 UTC */
export const utc = (time: Date): string => `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** Names are shown as people write them; the root stays a dot. */
export const shownName = (name: string): string =>
  name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name;

/** fast_flux → Fast flux */
export function kindName(kind: string): string {
  return KINDS[kind] ?? sentence(kind);
}

/** most_addresses_in_an_hour → Most addresses in an hour */
export function sentence(key: string): string {
  const text = key
    .replaceAll('_', ' ')
    .replace(/\bttl\b/g, 'TTL')
    .replace(/\btld\b/g, 'TLD')
    .replace(/\bnxdomain\b/g, 'NXDOMAIN')
    .replace(/\brrname\b/g, 'name')
    .replace(/\brdata ip\b/g, 'address')
    .replace(/\brdata\b/g, 'value')
    .replace(/\brrtype\b/g, 'type');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const KINDS: Readonly<Record<string, string>> = {
  first_seen: 'First seen',
  rogue_resolver: 'Rogue resolver',
  rare_tld: 'Rare TLD',
  nonexistent_tld: 'Nonexistent TLD',
  fast_flux: 'Fast flux',
  double_flux: 'Double flux',
  nxdomain_burst: 'NXDOMAIN burst',
  tunnelling: 'Tunnelling',
  name_explosion: 'Name explosion',
  lookalike: 'Look-alike',
  rebinding: 'Rebinding',
  malformed_name: 'Malformed name',
  beaconing: 'Beaconing',
};

/** What each kind means, in a sentence. */
export const MEANINGS: Readonly<Record<string, string>> = {
  first_seen: 'Nobody on this network had ever looked up this name before.',
  rogue_resolver: 'A client uses a resolver that is not among the approved ones.',
  rare_tld: 'A client goes to several domains below a top-level domain that hardly anybody here uses.',
  nonexistent_tld: 'Names were asked for that cannot resolve: their top-level domain does not exist.',
  fast_flux: 'The name’s addresses change fast, are many, and lie scattered over other people’s networks.',
  double_flux:
    'The addresses of the zone’s name servers change fast, as if the servers themselves were moved about.',
  nxdomain_burst:
    'In a short time a client asked for many names that do not exist, as generated domain names do.',
  tunnelling: 'The questions look like data carried out inside of names.',
  name_explosion: 'A domain suddenly has many more names below it than before.',
  lookalike: 'The name imitates one on the watch list.',
  rebinding: 'A public name answered with a private address, or switched between the two.',
  malformed_name: 'Names were asked for that break the rules for host names.',
  beaconing: 'A client asks for the name at regular intervals, as a program that reports home does.',
};
