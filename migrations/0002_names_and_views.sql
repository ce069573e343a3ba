-- Names for the numbers, and views: dns_named for today's questions, flows and dns for those who know the tables of
-- YAF's older mediators. Takes no lock that matters: it only adds.

-- ---------------------------------------------------------------------------------------------------------------
-- Names

create function public.rrtype_name(rrtype integer) returns text
language sql immutable parallel safe
return case rrtype
    when 1 then 'A' when 2 then 'NS' when 3 then 'MD' when 4 then 'MF' when 5 then 'CNAME'
    when 6 then 'SOA' when 7 then 'MB' when 8 then 'MG' when 9 then 'MR' when 10 then 'NULL'
    when 11 then 'WKS' when 12 then 'PTR' when 13 then 'HINFO' when 14 then 'MINFO' when 15 then 'MX'
    when 16 then 'TXT' when 17 then 'RP' when 18 then 'AFSDB' when 19 then 'X25' when 20 then 'ISDN'
    when 21 then 'RT' when 22 then 'NSAP' when 23 then 'NSAP-PTR' when 24 then 'SIG' when 25 then 'KEY'
    when 26 then 'PX' when 27 then 'GPOS' when 28 then 'AAAA' when 29 then 'LOC' when 30 then 'NXT'
    when 31 then 'EID' when 32 then 'NIMLOC' when 33 then 'SRV' when 34 then 'ATMA' when 35 then 'NAPTR'
    when 36 then 'KX' when 37 then 'CERT' when 38 then 'A6' when 39 then 'DNAME' when 40 then 'SINK'
    when 41 then 'OPT' when 42 then 'APL' when 43 then 'DS' when 44 then 'SSHFP' when 45 then 'IPSECKEY'
    when 46 then 'RRSIG' when 47 then 'NSEC' when 48 then 'DNSKEY' when 49 then 'DHCID'
    when 50 then 'NSEC3' when 51 then 'NSEC3PARAM' when 52 then 'TLSA' when 53 then 'SMIMEA'
    when 55 then 'HIP' when 56 then 'NINFO' when 57 then 'RKEY' when 58 then 'TALINK' when 59 then 'CDS'
    when 60 then 'CDNSKEY' when 61 then 'OPENPGPKEY' when 62 then 'CSYNC' when 63 then 'ZONEMD'
    when 64 then 'SVCB' when 65 then 'HTTPS' when 66 then 'DSYNC' when 67 then 'HHIT' when 68 then 'BRID'
    when 99 then 'SPF' when 100 then 'UINFO' when 101 then 'UID' when 102 then 'GID' when 103 then 'UNSPEC'
    when 104 then 'NID' when 105 then 'L32' when 106 then 'L64' when 107 then 'LP' when 108 then 'EUI48'
    when 109 then 'EUI64' when 128 then 'NXNAME' when 249 then 'TKEY' when 250 then 'TSIG'
    when 251 then 'IXFR' when 252 then 'AXFR' when 253 then 'MAILB' when 254 then 'MAILA'
    when 255 then 'ANY' when 256 then 'URI' when 257 then 'CAA' when 258 then 'AVC' when 259 then 'DOA'
    when 260 then 'AMTRELAY' when 261 then 'RESINFO' when 262 then 'WALLET' when 263 then 'CLA'
    when 264 then 'IPN' when 32768 then 'TA' when 32769 then 'DLV'
    else 'TYPE' || rrtype
  end;
comment on function public.rrtype_name(integer) is 'Mnemonic of an RR type or QTYPE (IANA DNS parameters), TYPE123 for one without (RFC 3597 section 5). Filter on the number instead, which is faster: rrtype = rrtype_number(''AAAA'').';

create function public.rrtype_number(mnemonic text) returns integer
language plpgsql immutable strict parallel safe
as $$
declare
  wanted text := upper(replace(mnemonic, '*', 'ANY'));
  number integer := substring(wanted from '^TYPE([0-9]{1,5})$');
begin
  if number is null then
    select candidate
    into number
    from (select generate_series(1, 264) union all values (32768), (32769)) as numbers (candidate)
    where public.rrtype_name(candidate) = wanted;
  end if;
  if number is null or number > 65535 then
    raise exception '"%" is not an RR type', mnemonic
      using errcode = 'invalid_parameter_value', hint = 'Mnemonics are those of IANA; TYPE123 stands for number 123.';
  end if;
  return number;
end $$;
comment on function public.rrtype_number(text) is 'Number of an RR type or QTYPE by its mnemonic (IANA DNS parameters) or TYPE123 (RFC 3597 section 5), in any case; * is ANY. An error for anything else.';

create function public.rcode_name(rcode integer) returns text
language sql immutable parallel safe
return case rcode
    when 0 then 'NOERROR' when 1 then 'FORMERR' when 2 then 'SERVFAIL' when 3 then 'NXDOMAIN'
    when 4 then 'NOTIMP' when 5 then 'REFUSED' when 6 then 'YXDOMAIN' when 7 then 'YXRRSET'
    when 8 then 'NXRRSET' when 9 then 'NOTAUTH' when 10 then 'NOTZONE' when 11 then 'DSOTYPENI'
    when 16 then 'BADVERS' when 17 then 'BADKEY' when 18 then 'BADTIME' when 19 then 'BADMODE'
    when 20 then 'BADNAME' when 21 then 'BADALG' when 22 then 'BADTRUNC' when 23 then 'BADCOOKIE'
    else 'RCODE' || rcode
  end;
comment on function public.rcode_name(integer) is 'Name of a DNS response code (IANA DNS parameters), RCODE12 for one without.';

create function public.section_name(section integer) returns text
language sql immutable parallel safe
return case section when 0 then 'question' when 1 then 'answer' when 2 then 'authority' when 3 then 'additional' end;
comment on function public.section_name(integer) is 'Name of a section of a DNS message (RFC 1035 section 4.1): 0 question, 1 answer, 2 authority, 3 additional.';

create function public.protocol_name(protocol integer) returns text
language sql immutable parallel safe
return case protocol
    when 0 then 'HOPOPT' when 1 then 'ICMP' when 2 then 'IGMP' when 3 then 'GGP' when 4 then 'IPv4'
    when 5 then 'ST' when 6 then 'TCP' when 8 then 'EGP' when 9 then 'IGP' when 12 then 'PUP'
    when 17 then 'UDP' when 20 then 'HMP' when 22 then 'XNS-IDP' when 27 then 'RDP' when 29 then 'ISO-TP4'
    when 33 then 'DCCP' when 36 then 'XTP' when 37 then 'DDP' when 41 then 'IPv6' when 43 then 'IPv6-Route'
    when 44 then 'IPv6-Frag' when 45 then 'IDRP' when 46 then 'RSVP' when 47 then 'GRE' when 50 then 'ESP'
    when 51 then 'AH' when 54 then 'NARP' when 55 then 'Min-IPv4' when 57 then 'SKIP'
    when 58 then 'IPv6-ICMP' when 59 then 'IPv6-NoNxt' when 60 then 'IPv6-Opts' when 88 then 'EIGRP'
    when 89 then 'OSPFIGP' when 92 then 'MTP' when 93 then 'AX.25' when 94 then 'IPIP'
    when 97 then 'ETHERIP' when 98 then 'ENCAP' when 103 then 'PIM' when 108 then 'IPComp'
    when 112 then 'VRRP' when 113 then 'PGM' when 115 then 'L2TP' when 124 then 'ISIS over IPv4'
    when 132 then 'SCTP' when 133 then 'FC' when 135 then 'Mobility Header' when 136 then 'UDPLite'
    when 137 then 'MPLS-in-IP' when 138 then 'manet' when 139 then 'HIP' when 140 then 'Shim6'
    when 141 then 'WESP' when 142 then 'ROHC' when 143 then 'Ethernet'
    else protocol::text
  end;
comment on function public.protocol_name(integer) is 'Keyword of an IP protocol (IANA protocol numbers), the number as text for a rare one.';

create function public.end_reason_name(end_reason integer) returns text
language sql immutable parallel safe
return case end_reason
    when 1 then 'idle' when 2 then 'active' when 3 then 'eof' when 4 then 'forced' when 5 then 'rsrc' when 31 then 'udpforce'
    else end_reason::text
  end;
comment on function public.end_reason_name(integer) is 'Why a flow ended (flowEndReason, IE 136), in YAF''s words: idle (timeout), active (timeout), eof (end of flow), forced, rsrc (lack of resources), udpforce (one-packet record of --udp-uniflow).';

create function public.tcp_flags_name(flags integer) returns text
language sql immutable parallel safe
return case when flags = 0 then '0' when flags is not null then
    case when flags & 64 <> 0 then 'E' else '' end || case when flags & 128 <> 0 then 'C' else '' end ||
    case when flags & 32 <> 0 then 'U' else '' end || case when flags & 16 <> 0 then 'A' else '' end ||
    case when flags & 8 <> 0 then 'P' else '' end || case when flags & 4 <> 0 then 'R' else '' end ||
    case when flags & 2 <> 0 then 'S' else '' end || case when flags & 1 <> 0 then 'F' else '' end
  end;
comment on function public.tcp_flags_name(integer) is 'TCP flags as YAF prints them: letters out of ECUAPRSF (ECE, CWR, URG, ACK, PSH, RST, SYN, FIN), 0 for none.';

-- ---------------------------------------------------------------------------------------------------------------
-- Views

create view public.dns_named as
select
  rr.time,
  rr.client,
  rr.resolver,
  rr.qr,
  rr.rcode,
  public.rcode_name(rr.rcode) as rcode_name,
  rr.section,
  public.section_name(rr.section) as section_name,
  rr.rrname,
  rr.rrtype,
  public.rrtype_name(rr.rrtype) as rrtype_name,
  rr.ttl,
  rr.rdata,
  rr.rdata_ip,
  rr.authoritative,
  rr.dns_id,
  rr.origin,
  rr.flow_id,
  rr.exporter_id,
  exporter.name as exporter_name,
  exporter.observation_domain_id
from public.dns_rr as rr
left join public.exporter on exporter.exporter_id = rr.exporter_id;
comment on view public.dns_named is 'public.dns_rr with names beside the codes, and the exporter''s name. Filter on time first: it selects the daily partitions.';
comment on column public.dns_named.time is 'Start of the flow that carried the message.';
comment on column public.dns_named.client is 'Who asked. For a multicast response the group it was sent to.';
comment on column public.dns_named.resolver is 'Who was asked, or who answered. For a multicast query the group.';
comment on column public.dns_named.qr is 'False: the message was a query. True: a response.';
comment on column public.dns_named.rcode is 'Response code of the message header (RFC 1035 section 4.1.1), meaningful where qr is true.';
comment on column public.dns_named.rcode_name is 'rcode_name(rcode): NOERROR, NXDOMAIN and so on.';
comment on column public.dns_named.section is 'Section of the message: 0 question, 1 answer, 2 authority, 3 additional.';
comment on column public.dns_named.section_name is 'section_name(section): question, answer, authority, additional.';
comment on column public.dns_named.rrname is 'Owner name (or QNAME): lower case, presentation form, trailing dot. Null when the exporter lost it.';
comment on column public.dns_named.rrtype is 'RR type or QTYPE number. Filter on this one: rrtype = rrtype_number(''AAAA'').';
comment on column public.dns_named.rrtype_name is 'rrtype_name(rrtype): A, AAAA, … or TYPE123.';
comment on column public.dns_named.ttl is 'Time to live in seconds. 0 for question entries; null when the exporter does not say.';
comment on column public.dns_named.rdata is 'Value in presentation form. Null when the exporter did not send one, and for question entries.';
comment on column public.dns_named.rdata_ip is 'The address, for A and AAAA.';
comment on column public.dns_named.authoritative is 'AA bit of the message. Null when the exporter does not say.';
comment on column public.dns_named.dns_id is 'Message id of the DNS header.';
comment on column public.dns_named.origin is 'Where the row was read: 0 the exporter''s DNS records, 1 decoded by the collector from payload octets.';
comment on column public.dns_named.flow_id is 'The flow that carried the message: public.flow or public.flow_packet. Join on time = start_time too.';
comment on column public.dns_named.exporter_id is 'Exporter that delivered the record: public.exporter.';
comment on column public.dns_named.exporter_name is 'exporter.name: address of a live peer, or the name of the file without its rotation suffix.';
comment on column public.dns_named.observation_domain_id is 'exporter.observation_domain_id: observation domain of the record (RFC 7011 section 2.1).';

create view public.flows as
select
  record.flow_id as id,
  case family(record.src) when 4 then record.src end as srcip4,
  case family(record.dst) when 4 then record.dst end as dstip4,
  floor(extract(epoch from record.start_time) * 1000)::bigint as flowstartmilliseconds,
  record.start_time as stime,
  record.end_time as etime,
  round(extract(epoch from record.end_time - record.start_time)::numeric, 3) as duration,
  round(record.rtt_ms / 1000.0, 3) as rtt,
  record.protocol,
  record.src as sip,
  record.dst as dip,
  record.src_port as sport,
  record.dst_port as dport,
  record.packets as pkt,
  record.octets as oct,
  record.reverse_packets as rpkt,
  record.reverse_octets as roct,
  record.attributes as att,
  record.reverse_attributes as ratt,
  record.src_mac as mac,
  record.dst_mac as rmac,
  public.tcp_flags_name(record.tcp_flags) as uflags,
  public.tcp_flags_name(record.reverse_tcp_flags) as ruflags,
  record.ingress,
  record.egress,
  record.vlan,
  record.application as app,
  record.tos,
  public.end_reason_name(record.end_reason) as reason,
  exporter.name as collector,
  exporter.observation_domain_id as obid
from public.flow as record
left join public.exporter on exporter.exporter_id = record.exporter_id;
comment on view public.flows is 'Flow records under the column names of YAF''s older MySQL mediators. The one-packet records of YAF --udp-uniflow are not among them, as their packets are counted here already. Filter on stime: it selects the daily partitions.';
comment on column public.flows.id is 'flow_id; equals dns.id of the records seen in this flow. Records seen in a one-packet record have no flow here; view dns knows their addresses and ports itself.';
comment on column public.flows.srcip4 is 'Source address, null for IPv6.';
comment on column public.flows.dstip4 is 'Destination address, null for IPv6.';
comment on column public.flows.flowstartmilliseconds is 'Start in milliseconds since 1970 (IE 152). Filter on stime as well, or every partition is read.';
comment on column public.flows.stime is 'Time of the first packet.';
comment on column public.flows.etime is 'Time of the last packet.';
comment on column public.flows.duration is 'etime - stime in seconds.';
comment on column public.flows.rtt is 'Seconds between the first packet of either direction.';
comment on column public.flows.protocol is 'IP protocol number; protocol_name() names it.';
comment on column public.flows.sip is 'Source address, IPv4 or IPv6.';
comment on column public.flows.dip is 'Destination address, IPv4 or IPv6.';
comment on column public.flows.sport is 'Source transport port. 0 for ICMP.';
comment on column public.flows.dport is 'Destination transport port. ICMP: type * 256 + code.';
comment on column public.flows.pkt is 'Packets from sip to dip.';
comment on column public.flows.oct is 'Octets from sip to dip, IP headers included.';
comment on column public.flows.rpkt is 'Packets from dip to sip. Null for a uniflow.';
comment on column public.flows.roct is 'Octets from dip to sip. Null for a uniflow.';
comment on column public.flows.att is 'YAF flowAttributes: 1 equal sized packets, 2 out of sequence, 4 MPTCP capable, 8 fragments seen.';
comment on column public.flows.ratt is 'flowAttributes of the direction from dip to sip.';
comment on column public.flows.mac is 'Source MAC address.';
comment on column public.flows.rmac is 'Destination MAC address.';
comment on column public.flows.uflags is 'Union of the TCP flags from sip to dip, in letters. Other than in the older tools those of the first packet are in it.';
comment on column public.flows.ruflags is 'Union of the TCP flags from dip to sip, in letters, those of the first packet included.';
comment on column public.flows.ingress is 'Ingress interface index.';
comment on column public.flows.egress is 'Egress interface index.';
comment on column public.flows.vlan is '802.1Q VLAN id, 0 for untagged. A number, where the older tools have hexadecimal text.';
comment on column public.flows.app is 'Application label guessed from the payload: 53 means it looked like DNS, whatever the port.';
comment on column public.flows.tos is 'IP class of service octet from sip to dip. A number, where the older tools have hexadecimal text.';
comment on column public.flows.reason is 'Why the flow ended: idle, active, eof, forced, rsrc.';
comment on column public.flows.collector is 'exporter.name: address of a live peer, or the name of the file without its rotation suffix.';
comment on column public.flows.obid is 'Observation domain id.';

create view public.dns as
select
  rr.flow_id as id,
  case when rr.qr then 'R' else 'Q' end as qr,
  rr.rrtype as type,
  rr.authoritative::integer as auth,
  rr.rcode as nx,
  rr.ttl,
  rr.rrname,
  rr.rdata as rrval,
  rr.time as stime,
  coalesce(flow.src, packet.src, case when rr.qr then rr.resolver else rr.client end) as sip,
  coalesce(flow.dst, packet.dst, case when rr.qr then rr.client else rr.resolver end) as dip,
  coalesce(flow.protocol, packet.protocol) as protocol,
  coalesce(flow.src_port, packet.src_port) as sport,
  coalesce(flow.dst_port, packet.dst_port) as dport,
  coalesce(flow.vlan, packet.vlan) as vlan,
  exporter.observation_domain_id as obid,
  rr.section,
  rr.rrname as name,
  rr.rdata as val,
  rr.dns_id
from public.dns_rr as rr
left join public.flow on flow.flow_id = rr.flow_id and flow.start_time = rr.time
left join public.flow_packet as packet on packet.flow_id = rr.flow_id and packet.start_time = rr.time
left join public.exporter on exporter.exporter_id = rr.exporter_id;
comment on view public.dns is 'DNS records under the column names of YAF''s older MySQL mediators, one row per question entry or resource record. Filter on stime: it selects the daily partitions. Addresses, ports, protocol and VLAN are those of the flow, looked up in flow and flow_packet; dns_named does without and is faster.';
comment on column public.dns.id is 'flow_id; equals flows.id of the flow that carried the message. When joining also compare stime, so that only one partition is read.';
comment on column public.dns.qr is 'Q: the message was a query. R: a response.';
comment on column public.dns.type is 'RR type or QTYPE number; rrtype_name() gives the mnemonic.';
comment on column public.dns.auth is '1: the answer came from an authoritative server (AA bit), else 0. Null when the exporter does not say.';
comment on column public.dns.nx is 'Response code of the message; 3 is NXDOMAIN. rcode_name() names it.';
comment on column public.dns.ttl is 'Time to live in seconds. 0 for question entries; null when the exporter does not say.';
comment on column public.dns.rrname is 'Owner name (or QNAME): lower case, presentation form, trailing dot. Null when the exporter lost it.';
comment on column public.dns.rrval is 'Value in presentation form. Null when the exporter did not send one, and for question entries.';
comment on column public.dns.stime is 'Start of the flow that carried the message.';
comment on column public.dns.sip is 'Source address of the flow, for a biflow the client also where qr is R. Sender of the message if the flow is gone.';
comment on column public.dns.dip is 'Destination address of the flow. Receiver of the message if the flow is gone.';
comment on column public.dns.protocol is 'IP protocol number of the flow: 17 UDP, 6 TCP.';
comment on column public.dns.sport is 'Source port of the flow.';
comment on column public.dns.dport is 'Destination port of the flow.';
comment on column public.dns.vlan is '802.1Q VLAN id of the flow, 0 for untagged.';
comment on column public.dns.obid is 'Observation domain id.';
comment on column public.dns.section is 'Section of the message: 0 question, 1 answer, 2 authority, 3 additional.';
comment on column public.dns.name is 'The same as rrname.';
comment on column public.dns.val is 'The same as rrval.';
comment on column public.dns.dns_id is 'Message id of the DNS header (the column id of super_mediator).';
