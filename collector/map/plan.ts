import { CERT_PEN, CERT_REVERSE_BIT, type Template } from '../ipfix/index.ts';
import { type FlowReader, flowReader, tcpFlagsPositions } from './flow.ts';
import { type IpfixprobePlan, ipfixprobePlan } from './ipfixprobe.ts';
import { type OptionsReader, optionsReader } from './options.ts';
import { type RdataReader, rdataReader } from './yafRdata.ts';

/** Where the elements of YAF's DNS record stand in a template. */
export interface DnsPlan {
  readonly name: number;
  readonly ttl: number;
  readonly rrtype: number;
  readonly qr: number;
  readonly authoritative: number;
  readonly rcode: number;
  readonly section: number;
  readonly id: number;
  readonly details: number;
}

/** Where the entries of YAF's multi list beside DNS have what belongs to the flow. */
export interface DetailsPlan {
  readonly tcpFlags: Record<'forward' | 'reverse', readonly number[]>;
  readonly srcMac: number;
  readonly dstMac: number;
}

/** What the records of one template can tell, and where they tell it. Positions are -1 when absent. */
export interface Plan {
  readonly flow: FlowReader | null;
  readonly options: OptionsReader | null;
  /** YAF's record of one question entry or RR. */
  readonly dns: DnsPlan | null;
  /** A record inside YAF's DNS record. */
  readonly rdata: RdataReader | null;
  readonly ipfixprobe: IpfixprobePlan | null;
  readonly details: DetailsPlan | null;
  readonly payload: number;
  readonly reversePayload: number;
  /** Fields that hold lists of further records. */
  readonly lists: readonly number[];
}

/** The plan of a template, made for its first record. One template may serve at several levels, so a plan says all. */
export function planOf(template: Template): Plan {
  template.memo ??= makePlan(template);
  return template.memo as Plan; // nobody else sets the memo
}

function makePlan(template: Template): Plan {
  const lists = template.fields.flatMap(({ element: { type } }, i) =>
    type === 'subTemplateList' || type === 'subTemplateMultiList' ? [i] : [],
  );
  return {
    flow: flowReader(template),
    options: optionsReader(template),
    dns: dnsPlan(template),
    rdata: rdataReader(template),
    ipfixprobe: ipfixprobePlan(template),
    details: detailsPlan(template),
    payload: template.indexOf(CERT_PEN, 18),
    reversePayload: template.indexOf(CERT_PEN, 18 | CERT_REVERSE_BIT),
    lists,
  };
}

function detailsPlan(template: Template): DetailsPlan | null {
  const tcpFlags = tcpFlagsPositions(template);
  const [srcMac, dstMac] = [template.indexOf(0, 56), template.indexOf(0, 80)];
  const hasAny = tcpFlags.forward.length + tcpFlags.reverse.length > 0 || srcMac >= 0 || dstMac >= 0;
  return hasAny ? { tcpFlags, srcMac, dstMac } : null;
}

/** Finds YAF's DNS record (2.x and 3.x) by its elements. */
function dnsPlan(template: Template): DnsPlan | null {
  const at = (id: number) => template.indexOf(CERT_PEN, id);
  const details = template.fields.findIndex(({ element }) => element.type === 'subTemplateList');
  if (at(175) < 0 || at(179) < 0 || at(178) < 0 || details < 0) return null;
  return {
    name: at(179),
    ttl: at(199),
    rrtype: at(175),
    qr: at(174),
    authoritative: at(176),
    rcode: at(177),
    section: at(178),
    id: at(226),
    details,
  };
}
