-- Flows, resource records and their ledger: what the collector writes and every other part reads.
-- Takes no lock that matters: everything is new.

create schema partitions;
comment on schema partitions is 'Daily partitions of public.flow, public.flow_packet and public.dns_rr. Query the parents, not these.';

-- ---------------------------------------------------------------------------------------------------------------
-- Who exports

create table public.exporter (
  exporter_id           integer generated always as identity,
  name                  text not null,
  observation_domain_id bigint not null,
  address               inet,
  created_at            timestamptz not null default now(),
  constraint exporter_pkey primary key (exporter_id),
  constraint exporter_name_key unique (name, observation_domain_id)
);
comment on table public.exporter is 'One row per exporter and observation domain (RFC 7011 section 2) that ever delivered a record.';
comment on column public.exporter.exporter_id is 'Key used by flow, flow_packet and dns_rr.';
comment on column public.exporter.name is 'Address of the peer for a live session; for files the name before the rotation suffix, or as given with --exporter.';
comment on column public.exporter.observation_domain_id is 'Observation domain id of the message header (RFC 7011 section 3.1). 0 unless the exporter was told otherwise.';
comment on column public.exporter.address is 'Address that the exporter connected from. Null for files.';
comment on column public.exporter.created_at is 'When this exporter was first seen by this database.';

-- ---------------------------------------------------------------------------------------------------------------
-- Flows

create table public.flow (
  start_time         timestamptz not null,
  end_time           timestamptz,
  flow_id            bigint not null,
  octets             bigint,
  packets            bigint,
  reverse_octets     bigint,
  reverse_packets    bigint,
  exporter_id        integer not null,
  src_port           integer,
  dst_port           integer,
  vlan               integer,
  application        integer,
  rtt_ms             integer,
  ingress            bigint,
  egress             bigint,
  protocol           smallint,
  end_reason         smallint,
  attributes         integer,
  reverse_attributes integer,
  tcp_flags          smallint,
  reverse_tcp_flags  smallint,
  tos                smallint,
  src                inet,
  dst                inet,
  src_mac            macaddr,
  dst_mac            macaddr
) partition by range (start_time);

create table public.flow_packet (like public.flow) partition by range (start_time);

comment on table public.flow is 'One row per flow record, biflow (RFC 5103) or uniflow. Source is who sent the first packet the exporter saw.';
comment on table public.flow_packet is 'One row per one-packet record of YAF --udp-uniflow (flowEndReason 31). Their packets are counted in public.flow too, so never add the two tables up; dns_rr.flow_id points here for the records found in such packets.';
do $$
declare
  parent text;
begin
  foreach parent in array array['flow', 'flow_packet'] loop
    execute format($c$comment on column public.%I.start_time is 'Time of the first packet, the best precision the exporter sent (IE 154, 156, 152, 150). Partition key, UTC days.'$c$, parent);
    execute format($c$comment on column public.%I.end_time is 'Time of the last packet (IE 155, 157, 153, 151).'$c$, parent);
    execute format($c$comment on column public.%I.flow_id is 'Unique id: file_id * 2^32 + number of the data record in that file. dns_rr.flow_id refers to it.'$c$, parent);
    execute format($c$comment on column public.%I.octets is 'Octets from src to dst, IP headers included (IE 85 or 1). Null when the exporter does not say.'$c$, parent);
    execute format($c$comment on column public.%I.packets is 'Packets from src to dst (IE 86 or 2). Null when the exporter does not say.'$c$, parent);
    execute format($c$comment on column public.%I.reverse_octets is 'Octets from dst to src (reverse IE 85 or 1, RFC 5103). Null for a uniflow.'$c$, parent);
    execute format($c$comment on column public.%I.reverse_packets is 'Packets from dst to src (reverse IE 86 or 2, RFC 5103). Null for a uniflow.'$c$, parent);
    execute format($c$comment on column public.%I.exporter_id is 'Exporter that delivered the record: public.exporter.'$c$, parent);
    execute format($c$comment on column public.%I.src_port is 'Source transport port (IE 7). 0 for ICMP.'$c$, parent);
    execute format($c$comment on column public.%I.dst_port is 'Destination transport port (IE 11). ICMP: type * 256 + code.'$c$, parent);
    execute format($c$comment on column public.%I.vlan is '802.1Q VLAN id (IE 58), 0 for untagged.'$c$, parent);
    execute format($c$comment on column public.%I.application is 'Application label guessed from the payload (IE 6871/33 silkAppLabel): 53 means it looked like DNS, whatever the port; 0 unlabelled.'$c$, parent);
    execute format($c$comment on column public.%I.rtt_ms is 'Milliseconds between the first packet of either direction (IE 6871/21).'$c$, parent);
    execute format($c$comment on column public.%I.ingress is 'Ingress interface index (IE 10).'$c$, parent);
    execute format($c$comment on column public.%I.egress is 'Egress interface index (IE 14).'$c$, parent);
    execute format($c$comment on column public.%I.protocol is 'IP protocol number (IE 4): 6 TCP, 17 UDP.'$c$, parent);
    execute format($c$comment on column public.%I.end_reason is 'flowEndReason (IE 136) without the continuation bit: 1 idle, 2 active timeout, 3 end of flow, 4 forced, 5 lack of resources, 31 one-packet record.'$c$, parent);
    execute format($c$comment on column public.%I.attributes is 'YAF flowAttributes (IE 6871/40): 1 equal sized packets, 2 out of sequence, 4 MPTCP capable, 8 fragments seen.'$c$, parent);
    execute format($c$comment on column public.%I.reverse_attributes is 'flowAttributes of the direction from dst to src (IE 6871/16424).'$c$, parent);
    execute format($c$comment on column public.%I.tcp_flags is 'Union of the TCP flags from src to dst, those of the first packet included (IE 6871/14 and 15, or IE 6).'$c$, parent);
    execute format($c$comment on column public.%I.reverse_tcp_flags is 'Union of the TCP flags from dst to src (IE 6871/16398 and 16399, or reverse IE 6).'$c$, parent);
    execute format($c$comment on column public.%I.tos is 'IP class of service octet from src to dst (IE 5).'$c$, parent);
    execute format($c$comment on column public.%I.src is 'Source address (IE 8 or 27). IPv4-mapped IPv6 addresses are stored as IPv4.'$c$, parent);
    execute format($c$comment on column public.%I.dst is 'Destination address (IE 12 or 28). IPv4-mapped IPv6 addresses are stored as IPv4.'$c$, parent);
    execute format($c$comment on column public.%I.src_mac is 'Source MAC address (IE 56).'$c$, parent);
    execute format($c$comment on column public.%I.dst_mac is 'Destination MAC address (IE 80).'$c$, parent);
  end loop;
end $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Resource records

create table public.dns_rr (
  time          timestamptz not null,
  flow_id       bigint not null,
  ttl           bigint,
  dns_id        integer,
  rrtype        integer not null,
  exporter_id   integer not null,
  section       smallint not null,
  rcode         smallint,
  origin        smallint not null,
  qr            boolean not null,
  authoritative boolean,
  client        inet,
  resolver      inet,
  rrname        text,
  rdata         text,
  rdata_ip      inet
) partition by range (time);

comment on table public.dns_rr is 'One row per question entry or resource record seen in a DNS message. Client, resolver and time are repeated here so that the common question needs no join.';
comment on column public.dns_rr.time is 'Start of the flow that carried the message: flow.start_time. Partition key, UTC days.';
comment on column public.dns_rr.flow_id is 'The flow (or one-packet record) that carried the message: public.flow or public.flow_packet. Join on time = start_time too, so that only one partition is read.';
comment on column public.dns_rr.ttl is 'Time to live in seconds (RFC 1035 section 3.2.1). 0 for question entries; null when the exporter does not say.';
comment on column public.dns_rr.dns_id is 'Message id of the DNS header.';
comment on column public.dns_rr.rrtype is 'RR type or QTYPE number (RFC 1035 section 3.2.2); rrtype_name() gives the mnemonic. Integer, because types above 32767 exist.';
comment on column public.dns_rr.exporter_id is 'Exporter that delivered the record: public.exporter.';
comment on column public.dns_rr.section is 'Section of the message: 0 question, 1 answer, 2 authority, 3 additional; section_name() names it.';
comment on column public.dns_rr.rcode is 'Response code of the message header (RFC 1035 section 4.1.1), meaningful where qr is true; rcode_name() names it.';
comment on column public.dns_rr.origin is 'Where the row was read: 0 the exporter''s DNS records, 1 decoded by the collector from payload octets in the flow record.';
comment on column public.dns_rr.qr is 'False: the message was a query. True: a response.';
comment on column public.dns_rr.authoritative is 'AA bit of the message: the answer came from an authoritative server.';
comment on column public.dns_rr.client is 'Who asked. For a multicast response the group it was sent to. The rule is in the README, "Client and resolver".';
comment on column public.dns_rr.resolver is 'Who was asked, or who answered. For a multicast query the group.';
comment on column public.dns_rr.rrname is 'Owner name (or QNAME): lower case, presentation form with \DDD escapes (RFC 1035 section 5.1), trailing dot. Null when the exporter lost it.';
comment on column public.dns_rr.rdata is 'Value in presentation form; names in lower case. Null when the exporter did not send one (and for question entries). A part the exporter leaves out is written as a hyphen.';
comment on column public.dns_rr.rdata_ip is 'The address, for A and AAAA.';

-- ---------------------------------------------------------------------------------------------------------------
-- Partitions

create table partitions.flow_default partition of public.flow default;
create table partitions.flow_packet_default partition of public.flow_packet default;
create table partitions.dns_rr_default partition of public.dns_rr default;

create function public.ensure_partitions(days date[]) returns integer
language plpgsql as $$
declare
  parent text;
  key text;
  part text;
  day date;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(7234872349001);
  foreach day in array days loop
    foreach parent in array array['flow', 'flow_packet', 'dns_rr'] loop
      part := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
      continue when to_regclass(format('partitions.%I', part)) is not null;
      key := case parent when 'dns_rr' then 'time' else 'start_time' end;
      -- built aside and attached: attaching does not wait for loads into other partitions, "partition of" would.
      -- Vacuuming because of inserts would write every page once more, for an index-only scan that nothing here can use;
      -- what wraparound and deleted rows need still happens
      execute format('create table partitions.%I (like public.%I including defaults including constraints including comments) with (autovacuum_vacuum_insert_threshold = -1)', part, parent);
      execute format('with moved as (delete from partitions.%I where %I >= %L and %I < %L returning *) insert into partitions.%I select * from moved',
        parent || '_default', key, day::timestamp at time zone 'UTC', key, (day + 1)::timestamp at time zone 'UTC', part);
      execute format('alter table public.%I attach partition partitions.%I for values from (%L) to (%L)',
        parent, part, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
      execute format('comment on table partitions.%I is %L', part, format('Rows of public.%s of %s (UTC).', parent, day));
      made := made + 1;
    end loop;
  end loop;
  return made;
end $$;
comment on function public.ensure_partitions(date[]) is 'Makes the daily partitions (UTC) of flow, flow_packet and dns_rr that are missing, moving rows of those days out of the default partitions. Returns how many tables were made.';

-- ---------------------------------------------------------------------------------------------------------------
-- Ledger

create table public.ipfix_file (
  file_id           integer generated always as identity,
  kind              text not null,
  path              text not null,
  exporter_name     text not null,
  peer_address      inet,
  peer_port         integer,
  head              bytea,
  size              bigint,
  position          bigint not null default 0,
  sha256            bytea,
  status            text not null default 'loading',
  messages          bigint not null default 0,
  data_records      bigint not null default 0,
  flows             bigint not null default 0,
  flow_packets      bigint not null default 0,
  option_records    bigint not null default 0,
  other_records     bigint not null default 0,
  rrs_received      bigint not null default 0,
  rrs               bigint not null default 0,
  payload_rrs       bigint not null default 0,
  fillers           bigint not null default 0,
  quarantined       bigint not null default 0,
  notes             jsonb not null default '{}',
  first_export_time timestamptz,
  last_export_time  timestamptz,
  error             text,
  created_at        timestamptz not null default now(),
  updated_at        timestamptz not null default now(),
  constraint ipfix_file_pkey primary key (file_id),
  constraint ipfix_file_kind_check check (kind in ('journal', 'drop', 'load')),
  constraint ipfix_file_status_check check (status in ('loading', 'loaded', 'partial', 'failed'))
);
create index ipfix_file_head_idx on public.ipfix_file (head);
create index ipfix_file_status_idx on public.ipfix_file (status) where status = 'loading';
create unique index ipfix_file_content_key on public.ipfix_file (sha256, size) where kind <> 'journal';
create unique index ipfix_file_journal_key on public.ipfix_file (path) where kind = 'journal';

create function public.add_counts(a jsonb, b jsonb) returns jsonb
language sql immutable parallel safe as $$
  select coalesce(jsonb_object_agg(key, coalesce((a ->> key)::bigint, 0) + coalesce((b ->> key)::bigint, 0)), '{}')
  from (select key from jsonb_object_keys(a) as k(key) union select key from jsonb_object_keys(b) as k(key)) keys
$$;
comment on function public.add_counts(jsonb, jsonb) is 'Adds two objects of counts, key by key.';

comment on table public.ipfix_file is 'The ledger: one row per file of IPFIX messages (a journal segment of a live session, or a file that was loaded). Its counters are committed together with the rows they count.';
comment on column public.ipfix_file.file_id is 'Key; the upper half of every flow_id that came from this file.';
comment on column public.ipfix_file.kind is 'journal: written by the receiver; drop: taken from a watched directory; load: named on the command line.';
comment on column public.ipfix_file.path is 'Where the file was when it was loaded last.';
comment on column public.ipfix_file.exporter_name is 'Becomes exporter.name.';
comment on column public.ipfix_file.peer_address is 'Address of the exporting process, journal only.';
comment on column public.ipfix_file.peer_port is 'Port of the exporting process, journal only.';
comment on column public.ipfix_file.head is 'First octets (up to 64) of the content, to find candidates for "seen before". Null for a journal segment that still grows.';
comment on column public.ipfix_file.size is 'Octets of the (uncompressed) content when it was loaded last.';
comment on column public.ipfix_file.position is 'Octets of the content whose records are committed: where loading resumes.';
comment on column public.ipfix_file.sha256 is 'SHA-256 of the first "size" octets of the (uncompressed) content; of a journal segment only once it is closed. The same content is not loaded twice.';
comment on column public.ipfix_file.status is 'loading; loaded: all of it; partial: the good parts are stored, the rest is in quarantine; failed: nothing in it could be read.';
comment on column public.ipfix_file.messages is 'IPFIX messages read.';
comment on column public.ipfix_file.data_records is 'Data records received, option records included = flows + flow_packets + option_records + other_records + quarantined.';
comment on column public.ipfix_file.flows is 'Rows stored in public.flow.';
comment on column public.ipfix_file.flow_packets is 'Rows stored in public.flow_packet.';
comment on column public.ipfix_file.option_records is 'Data records of options templates (statistics, element and template descriptions).';
comment on column public.ipfix_file.other_records is 'Data records that describe neither a flow nor an option; kept in quarantine with reason not_a_flow.';
comment on column public.ipfix_file.rrs_received is 'Entries of the exporter''s DNS lists = rrs + fillers.';
comment on column public.ipfix_file.rrs is 'Rows stored in public.dns_rr from the exporter''s DNS lists.';
comment on column public.ipfix_file.payload_rrs is 'Rows stored in public.dns_rr that the collector decoded from payload octets (dns_rr.origin = 1).';
comment on column public.ipfix_file.fillers is 'Empty list entries of RR type 0 that YAF sends in place of records it could not decode; dropped.';
comment on column public.ipfix_file.quarantined is 'Data records that were received and decoded but could not be stored.';
comment on column public.ipfix_file.notes is 'Counts of remarkable things by name: undecodable sets, unknown owner names, clocks out of range and the like.';
comment on column public.ipfix_file.first_export_time is 'Export time of the first message.';
comment on column public.ipfix_file.last_export_time is 'Latest export time of a message.';
comment on column public.ipfix_file.error is 'What was wrong, where, and what to do; null when nothing was.';
comment on column public.ipfix_file.created_at is 'When loading began.';
comment on column public.ipfix_file.updated_at is 'When rows of this file were committed last.';

create table public.ledger (
  file_id               integer not null,
  observation_domain_id bigint not null,
  exporter_id           integer not null,
  messages              bigint not null,
  data_records          bigint not null,
  next_sequence         bigint,
  sequence_gaps         bigint not null,
  records_lost          bigint not null,
  sequence_resets       bigint not null,
  constraint ledger_pkey primary key (file_id, observation_domain_id)
);
comment on table public.ledger is 'Per file and observation domain: what was received, and what the sequence numbers (RFC 7011 section 3.1) say is missing.';
comment on column public.ledger.file_id is 'public.ipfix_file.';
comment on column public.ledger.observation_domain_id is 'Observation domain id of the message header.';
comment on column public.ledger.exporter_id is 'public.exporter.';
comment on column public.ledger.messages is 'Messages received of this domain.';
comment on column public.ledger.data_records is 'Data records received of this domain, option records included.';
comment on column public.ledger.next_sequence is 'Sequence number that the next message should carry. Null after a set that could not be decoded.';
comment on column public.ledger.sequence_gaps is 'How often the sequence number jumped ahead.';
comment on column public.ledger.records_lost is 'Data records that the jumps say were lost before they reached us.';
comment on column public.ledger.sequence_resets is 'How often the sequence number went back.';

create table public.quarantine (
  quarantine_id         bigint generated always as identity,
  file_id               integer not null,
  byte_offset           bigint not null,
  byte_length           bigint not null,
  observation_domain_id bigint,
  set_id                integer,
  reason                text not null,
  detail                text not null,
  bytes                 bytea,
  created_at            timestamptz not null default now(),
  constraint quarantine_pkey primary key (quarantine_id)
);
create index quarantine_file_id_idx on public.quarantine (file_id);
comment on table public.quarantine is 'Octets that could not be decoded or stored, kept so that a later version can try again. Bounded per file and reason; the counts in ipfix_file.notes are complete.';
comment on column public.quarantine.quarantine_id is 'Key.';
comment on column public.quarantine.file_id is 'public.ipfix_file.';
comment on column public.quarantine.byte_offset is 'Where the octets begin in the (uncompressed) file.';
comment on column public.quarantine.byte_length is 'How many octets are concerned; "bytes" may hold fewer.';
comment on column public.quarantine.observation_domain_id is 'Observation domain id, where it is known.';
comment on column public.quarantine.set_id is 'Set id (= template id for data sets), where it is known.';
comment on column public.quarantine.reason is 'Stable code, the same as in ipfix_file.notes.';
comment on column public.quarantine.detail is 'What was wrong, in words.';
comment on column public.quarantine.bytes is 'The octets, cut at 64 KiB. Null when too many of this file and reason were kept already.';
comment on column public.quarantine.created_at is 'When it was found.';

create table public.exporter_statistics (
  file_id           integer not null,
  byte_offset       bigint not null,
  exporter_id       integer not null,
  time              timestamptz,
  system_init_time  timestamptz,
  exporting_process bigint,
  exporter_address  inet,
  exported_flows    numeric(20),
  packets           numeric(20),
  dropped_packets   numeric(20),
  ignored_packets   numeric(20),
  not_sent_packets  numeric(20),
  expired_fragments bigint,
  assembled_fragments bigint,
  flow_table_flushes bigint,
  flow_table_peak   bigint,
  mean_flow_rate    bigint,
  mean_packet_rate  bigint
);
create index exporter_statistics_time_idx on public.exporter_statistics (exporter_id, time);
comment on table public.exporter_statistics is 'What exporters say about themselves: one row per process statistics option record (YAF --stats, every 300 s and at exit). Totals since the exporter started.';
comment on column public.exporter_statistics.file_id is 'public.ipfix_file.';
comment on column public.exporter_statistics.byte_offset is 'Where its message begins in the file.';
comment on column public.exporter_statistics.exporter_id is 'public.exporter.';
comment on column public.exporter_statistics.time is 'When the record was made (IE 322), else the export time.';
comment on column public.exporter_statistics.system_init_time is 'When the exporter started (IE 160).';
comment on column public.exporter_statistics.exporting_process is 'Exporting process id (IE 144).';
comment on column public.exporter_statistics.exporter_address is 'Address the exporter gives itself (IE 130 or 131).';
comment on column public.exporter_statistics.exported_flows is 'Flow records exported (IE 42).';
comment on column public.exporter_statistics.packets is 'Packets processed (IE 86).';
comment on column public.exporter_statistics.dropped_packets is 'Packets dropped by the capture (IE 135): the sensor does not see them.';
comment on column public.exporter_statistics.ignored_packets is 'Packets ignored: not IP, or not decodable (IE 164).';
comment on column public.exporter_statistics.not_sent_packets is 'Packets of flows that could not be sent (IE 167).';
comment on column public.exporter_statistics.expired_fragments is 'Fragments that expired before reassembly (IE 6871/100).';
comment on column public.exporter_statistics.assembled_fragments is 'Packets put together from fragments (IE 6871/101).';
comment on column public.exporter_statistics.flow_table_flushes is 'Flow table flush events (IE 6871/104).';
comment on column public.exporter_statistics.flow_table_peak is 'Most flows in the table at one time (IE 6871/105).';
comment on column public.exporter_statistics.mean_flow_rate is 'Flows per second (IE 6871/102).';
comment on column public.exporter_statistics.mean_packet_rate is 'Packets per second (IE 6871/103).';

create table public.tombstone (
  file_id       integer not null,
  byte_offset   bigint not null,
  exporter_id   integer not null,
  tombstone_id  bigint not null,
  configured_id bigint,
  time          timestamptz,
  tools         jsonb not null default '[]'
);
comment on table public.tombstone is 'YAF tombstone records: markers that each tool on the way stamps, to measure how long records take from sensor to here.';
comment on column public.tombstone.file_id is 'public.ipfix_file.';
comment on column public.tombstone.byte_offset is 'Where its message begins in the file.';
comment on column public.tombstone.exporter_id is 'public.exporter.';
comment on column public.tombstone.tombstone_id is 'Number of the tombstone at its sensor (IE 6871/550).';
comment on column public.tombstone.configured_id is 'Id configured at the sensor (IE 6871/551 or 552).';
comment on column public.tombstone.time is 'When it was made (IE 322).';
comment on column public.tombstone.tools is 'Stamps: [{"tool": id, "time": ISO 8601}, …] (IE 6871/553 and 322).';
