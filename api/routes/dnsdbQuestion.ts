import { nameOf, nameOfWire, namePatternOf } from '../names.ts';
import { ApiError, badRequest } from '../problem.ts';
import { type FlexQuestion, globOf, regexOf } from '../queries/flex.ts';
import type { RawRdataQuestion } from '../queries/rawRdata.ts';
import type { RdataQuestion } from '../queries/rdata.ts';
import type { RrsetQuestion } from '../queries/rrsets.ts';
import { percentDecode } from '../url.ts';
import { addressRangeOf, hexOf, typeFilterOf } from '../values.ts';

export type LookupQuestion = RrsetQuestion | RdataQuestion | RawRdataQuestion;

/** Types that rdata/ip may be asked with; they do not filter. */
const ADDRESS_TYPES: readonly string[] = ['A', 'AAAA', 'ANY'];

/**
 * What is asked by the segments after `lookup` or `summarize`: `rrset|rdata / name|raw|ip / VALUE [/ RRTYPE [/ BAILIWICK]]`.
 * @throws ApiError 400
 */
export function lookupQuestionOf(segments: readonly string[]): LookupQuestion {
  const [side = '', kind = '', value, type, bailiwick, ...rest] = segments;
  if (value === undefined || rest.length > 0)
    throw badRequest('the path must be rrset or rdata, name, raw or ip, and a value');
  const octets = percentDecode(value);
  const rrtype = type === undefined ? undefined : percentDecode(type).toString('latin1');
  if (bailiwick !== undefined && `${side}/${kind}` !== 'rrset/name')
    throw badRequest('a bailiwick is allowed after rrset/name only');
  const types = () => typeFilterOf(rrtype);
  switch (`${side}/${kind}`) {
    case 'rrset/name':
      return {
        side: 'rrset',
        owner: namePatternOf(octets),
        types: types(),
        bailiwick: bailiwick === undefined ? null : nameOf(percentDecode(bailiwick)),
      };
    case 'rrset/raw':
      return {
        side: 'rrset',
        owner: { kind: 'name', name: nameOfWire(hexOf(octets.toString('latin1'))) },
        types: types(),
        bailiwick: null,
      };
    case 'rdata/name':
      return { side: 'rdata', target: namePatternOf(octets), types: types() };
    case 'rdata/ip':
      if (rrtype !== undefined && !ADDRESS_TYPES.includes(rrtype.toUpperCase()))
        throw badRequest('rdata/ip holds A and AAAA only');
      return { side: 'rdata', addresses: addressRangeOf(octets.toString('latin1')) };
    case 'rdata/raw':
      return { side: 'raw', wire: hexOf(octets.toString('latin1')), types: types() };
    default:
      throw badRequest('the path must be rrset or rdata, name, raw or ip, and a value');
  }
}

/** What is asked by the segments `regex|glob / rrnames|rdata / PATTERN [/ RRTYPE]`. @throws ApiError 400 */
export function flexQuestionOf(segments: readonly string[], exclude: string | undefined): FlexQuestion {
  const [method, target, pattern, type, ...rest] = segments;
  if ((target !== 'rrnames' && target !== 'rdata') || pattern === undefined || rest.length > 0)
    throw badRequest('the path must be regex or glob, rrnames or rdata, and a pattern');
  const read = method === 'glob' ? globOf : regexOf;
  return {
    target,
    pattern: read(percentDecode(pattern).toString()),
    exclude: exclude === undefined || exclude === '' ? null : read(exclude),
    types: typeFilterOf(type === undefined ? undefined : percentDecode(type).toString('latin1')),
  };
}

/** What a request under `/dnsdb/v2` is for. @throws ApiError 404 */
export function endpointOf(
  segments: readonly string[],
): 'ping' | 'rate_limit' | 'lookup' | 'summarize' | 'flex' {
  const [first, ...rest] = segments;
  if (first === 'regex' || first === 'glob') return 'flex';
  if (first === 'lookup' || first === 'summarize') return first;
  if ((first === 'ping' || first === 'rate_limit') && rest.length === 0) return first;
  throw new ApiError(first === 'ping' || first === 'rate_limit' ? 400 : 404, 'there is no such path');
}
