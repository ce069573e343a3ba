/** What the name of a journal segment says. */
export interface SegmentInfo {
  /** When the segment was opened. */
  readonly startedAt: Date;
  /** Address of the exporting process: IPv4 or IPv6 text. */
  readonly peerAddress: string;
  readonly peerPort: number;
  /** 8 hexadecimal digits: the same in all segments of one transport session. */
  readonly session: string;
  /** Place of the segment in its session, from 0. */
  readonly segment: number;
}

/** `20261121T054200.123Z_192.0.2.1_40000_0a1b2c3d_00000.ipfix`: names sort by time. */
export function segmentName({ startedAt, peerAddress, peerPort, session, segment }: SegmentInfo): string {
  const time = startedAt.toISOString().replaceAll(/[-:]/g, '');
  return `${time}_${peerAddress}_${peerPort}_${session}_${String(segment).padStart(5, '0')}.ipfix`;
}

const pattern =
  /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d\.\d{3})Z_([\da-f.:]+(?:%\w+)?)_(\d{1,5})_([\da-f]{8})_(\d{5,})\.ipfix$/i;

/** Reads a segment's file name (without directory); null for any other file. */
export function parseSegmentName(name: string): SegmentInfo | null {
  const parts = pattern.exec(name);
  if (parts === null) return null;
  const [, year, month, day, hour, minute, second, peerAddress, peerPort, session, segment] = parts;
  const startedAt = new Date(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(startedAt.getTime())) return null;
  // the pattern has no optional group among these
  return {
    startedAt,
    peerAddress: peerAddress!,
    peerPort: Number(peerPort),
    session: session!,
    segment: Number(segment),
  };
}
