/** Abstract data types with their RFC 5610 section 3.1 numbers (IANA "IPFIX Information Element Data Types"). */
export const AbstractType = {
  octetArray: 0,
  unsigned8: 1,
  unsigned16: 2,
  unsigned32: 3,
  unsigned64: 4,
  signed8: 5,
  signed16: 6,
  signed32: 7,
  signed64: 8,
  float32: 9,
  float64: 10,
  boolean: 11,
  macAddress: 12,
  string: 13,
  dateTimeSeconds: 14,
  dateTimeMilliseconds: 15,
  dateTimeMicroseconds: 16,
  dateTimeNanoseconds: 17,
  ipv4Address: 18,
  ipv6Address: 19,
  basicList: 20,
  subTemplateList: 21,
  subTemplateMultiList: 22,
} as const;

export type AbstractTypeName = keyof typeof AbstractType;

/** Names by number; `undefined` where RFC 5610 and its registry assign none. */
export const abstractTypeNames = Object.keys(AbstractType) as readonly AbstractTypeName[];

/** Field length that announces variable-length encoding (RFC 7011 section 3.2). */
export const VARIABLE_LENGTH = 65535;

/** Seconds from the NTP epoch (1900) to the Unix epoch (RFC 7011 section 6.1.9). */
export const NTP_UNIX_OFFSET_SECONDS = 2208988800;
/** Seconds after which NTP time stamps begin again at 0 (RFC 5905 section 6). */
export const NTP_ERA_SECONDS = 2 ** 32;
