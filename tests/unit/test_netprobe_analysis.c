/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/analysis.c netprobe/classify.c netprobe/config.c netprobe/device.c netprobe/evidence.c netprobe/flow.c netprobe/fragment.c netprobe/link.c netprobe/packet.c netprobe/pool.c netprobe/report.c netprobe/sample.c netprobe/stream.c netprobe/text.c netprobe/witness.c netprobe/dissect/ netprobe/fingerprint/ proto/netprobe.pb-c.c */
#include <errno.h>
#include <netinet/in.h>

#include "lib/json.h"
#include "lib/protojson.h"
#include "netprobe/analysis.h"
#include "netprobe/link.h"
#include "tests/unit/unit.h"

#define MS INT64_C(1000000)

/* ---- calls of the allocator, for the test that there are none ---- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define ALLOCATIONS_COUNTED 1
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
#else
#define ALLOCATIONS_COUNTED 0
#endif
static unsigned long allocations;

#if ALLOCATIONS_COUNTED
void *malloc(size_t n)
{
	allocations++;
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	allocations++;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	allocations++;
	return __libc_realloc(p, n);
}
#endif

/* ---- what came out ---- */

struct out {
	char protocol[16][24], profile[16][24];
	unsigned dpi;
	struct {
		char ip[46], p0f[160], label[64], ja4[37], hassh[33];
		float confidence;
	} print[64];
	unsigned prints, records, settled;
	char record_protocol[24], end_reason[24];
	char source_ip[46];
	uint64_t bytes_forward, packets_reverse;
	uint8_t packed[65536]; /* all messages, as they would cross the socket */
	size_t packed_size;
};

static void keep(struct out *o, const ProtobufCMessage *m)
{
	assert_true(o->packed_size + protobuf_c_message_get_packed_size(m) <= sizeof(o->packed));
	o->packed_size += protobuf_c_message_pack(m, o->packed + o->packed_size);
}

static void on_dpi(void *userdata, const DpiEvent *e)
{
	struct out *o = userdata;

	snprintf(o->protocol[o->dpi % 16], sizeof(o->protocol[0]), "%s", e->protocol);
	snprintf(o->profile[o->dpi % 16], sizeof(o->profile[0]), "%s", e->profile_id);
	o->dpi++;
	keep(o, &e->base);
}

static void on_fingerprint(void *userdata, const FingerprintEvent *e)
{
	const Serviceradar__Agent__Netprobe__V1__LicenseCleanFingerprint *f = e->license_clean;
	struct out *o = userdata;
	unsigned i = o->prints++ % 64;

	snprintf(o->print[i].ip, sizeof(o->print[0].ip), "%s", e->ip);
	snprintf(o->print[i].p0f, sizeof(o->print[0].p0f), "%s", f->p0f_signature);
	snprintf(o->print[i].label, sizeof(o->print[0].label), "%s", f->p0f_match ? f->p0f_match->label : "");
	snprintf(o->print[i].ja4, sizeof(o->print[0].ja4), "%s", f->ja4);
	snprintf(o->print[i].hassh, sizeof(o->print[0].hassh), "%s", f->hassh);
	o->print[i].confidence = f->os_match ? f->os_match->confidence : 0;
	keep(o, &e->base);
}

static void on_record(void *userdata, const FlowRecord *r)
{
	struct out *o = userdata;

	o->records++;
	snprintf(o->record_protocol, sizeof(o->record_protocol), "%s", r->protocol);
	snprintf(o->end_reason, sizeof(o->end_reason), "%s", r->end_reason);
	snprintf(o->source_ip, sizeof(o->source_ip), "%s", r->source_ip);
	o->bytes_forward = r->bytes_forward;
	o->packets_reverse = r->packets_reverse;
	keep(o, &r->base);
}

static void on_settled(void *userdata, const struct flow *f)
{
	(void)f;
	((struct out *)userdata)->settled++;
}

static const char *interface_name(void *userdata, uint32_t interface)
{
	(void)userdata;
	return interface ? "eth1" : "eth0";
}

static struct analysis *make(struct out *o, struct p0f_store *p0f)
{
	const struct analysis_options options = { .flows_max = 1024, .p0f = p0f };
	const struct analysis_sink sink = { .dpi = on_dpi, .fingerprint = on_fingerprint, .record = on_record, .settled = on_settled,
					    .interface_name = interface_name, .userdata = o };
	struct analysis *a;

	memset(o, 0, sizeof(*o));
	assert_int_equal(analysis_new(&a, &options, &sink), 0);
	return a;
}

/* ---- what goes in ---- */

struct end {
	uint8_t address;
	uint16_t port;
	uint32_t sequence;
};

static void be16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void feed_raw(struct analysis *a, int64_t time_ns, const uint8_t *bytes, size_t n)
{
	struct packet p = { .time_ns = time_ns };
	enum packet_result r = packet_parse(&p, LINKTYPE_RAW, (struct span){ bytes, n }, (uint32_t)n);

	analysis_packet(a, &p, r, NULL);
}

static void feed_tcp(struct analysis *a, int64_t time_ns, struct end *from, const struct end *to, uint8_t flags, const void *payload, size_t n)
{
	static const uint8_t options[] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7 };
	uint8_t p[2048] = { 0x45, 0, 0, 0, 0x11, 0x11, 0x40, 0, 64, IPPROTO_TCP, 0, 0, 10, 0, 0, from->address, 10, 0, 0, to->address };
	size_t header = flags & PACKET_SYN ? 40 : 20;

	be16(p + 2, (unsigned)(20 + header + n));
	be16(p + 20, from->port);
	be16(p + 22, to->port);
	be16(p + 24, from->sequence >> 16);
	be16(p + 26, from->sequence & 0xffff);
	if (flags & PACKET_ACK)
		be16(p + 30, 1);
	p[32] = (uint8_t)(header / 4 << 4);
	p[33] = flags;
	be16(p + 34, flags & PACKET_ACK ? 28960 : 29200);
	if (header == 40)
		memcpy(p + 40, options, sizeof(options));
	memcpy(p + 20 + header, payload, n);
	from->sequence += (uint32_t)n + !!(flags & (PACKET_SYN | PACKET_FIN));
	feed_raw(a, time_ns, p, 20 + header + n);
}

static void feed_udp(struct analysis *a, int64_t time_ns, struct end from, struct end to, const void *payload, size_t n)
{
	uint8_t p[2048] = { 0x45, 0, 0, 0, 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0, 10, 0, 0, from.address, 10, 0, 0, to.address };

	be16(p + 2, (unsigned)(28 + n));
	be16(p + 20, from.port);
	be16(p + 22, to.port);
	be16(p + 24, (unsigned)(8 + n));
	memcpy(p + 28, payload, n);
	feed_raw(a, time_ns, p, 28 + n);
}

/* A connection: handshake, what the client says, what the server answers, FIN from both ends. */
static void connection(struct analysis *a, int64_t t, uint8_t client, uint16_t port, uint16_t server_port, const char *asks, size_t n,
		       const char *answers)
{
	struct end c = { client, port, 1000 }, s = { 99, server_port, 5000 };

	feed_tcp(a, t, &c, &s, PACKET_SYN, "", 0);
	feed_tcp(a, t + 1, &s, &c, PACKET_SYN | PACKET_ACK, "", 0);
	feed_tcp(a, t + 2, &c, &s, PACKET_ACK, "", 0);
	feed_tcp(a, t + 3, &c, &s, PACKET_PSH | PACKET_ACK, asks, n);
	feed_tcp(a, t + 4, &s, &c, PACKET_PSH | PACKET_ACK, answers, strlen(answers));
	feed_tcp(a, t + 5, &c, &s, PACKET_FIN | PACKET_ACK, "", 0);
	feed_tcp(a, t + 6, &s, &c, PACKET_FIN | PACKET_ACK, "", 0);
}

#define SECRET "s3cr3t"

static const char request[] = "GET /" SECRET "?q=" SECRET " HTTP/1.1\r\nHost: " SECRET ".example\r\nUser-Agent: " SECRET "\r\n\r\n";
static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nServer: " SECRET "\r\n\r\n" SECRET;

static void http(struct analysis *a, int64_t t, uint8_t client, uint16_t port)
{
	connection(a, t, client, port, 80, request, sizeof(request) - 1, response);
}

/* A ClientHello with a server name and one cipher suite. */
static void tls(struct analysis *a, int64_t t, uint8_t client, uint16_t port)
{
	static const char name[] = SECRET ".example";
	char hello[256] = { 0x16, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3 };
	size_t n = 11 + 32, length = sizeof(name) - 1;
	const uint8_t extension[] = { 0, 0, 0, (uint8_t)(length + 5), 0, (uint8_t)(length + 3), 0, 0, (uint8_t)length };
	const uint8_t middle[] = { 0, 0, 2, 0x13, 0x01, 1, 0, 0, (uint8_t)(sizeof(extension) + length) };

	memcpy(hello + n, middle, sizeof(middle));
	n += sizeof(middle);
	memcpy(hello + n, extension, sizeof(extension));
	n += sizeof(extension);
	memcpy(hello + n, name, length);
	n += length;
	hello[4] = (char)(n - 5);
	hello[8] = (char)(n - 9);
	connection(a, t, client, port, 443, hello, n, "\x16\x03\x03\x00\x02\x02\x00");
}

static void dns(struct analysis *a, int64_t t, uint8_t client, uint16_t port)
{
	static const char query[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06" SECRET "\x07" "example\x00\x00\x01\x00\x01";

	feed_udp(a, t, (struct end){ client, port, 0 }, (struct end){ 99, 53, 0 }, query, sizeof(query) - 1);
}

static VisibilityConfig *config_of(const char *text, int expect, struct error *err)
{
	_cleanup_json_ struct json_object *object = json_tokener_parse(text);
	ProtobufCMessage *m = NULL;

	assert_non_null(object);
	assert_int_equal(protojson_to_message(object, &serviceradar__agent__netprobe__v1__visibility_agent_config__descriptor, &m, err), 0);
	assert_int_equal(config_check((VisibilityConfig *)m, err), expect);
	return (VisibilityConfig *)m;
}

/* An analysis with a config; both are freed by done(). */
static VisibilityConfig *config;

static struct analysis *configured(struct out *o, const char *text)
{
	struct error err = { .text = "" };
	struct analysis *a = make(o, NULL);

	config = config_of(text, 0, &err);
	assert_int_equal(analysis_configure(a, config), 0);
	return a;
}

static void done(struct analysis *a)
{
	analysis_free(a);
	if (config)
		protobuf_c_message_free_unpacked(&config->base, NULL);
	config = NULL;
}

static void a_connection_gives_an_event_fingerprints_and_a_record(void **state)
{
	struct out o;
	struct analysis *a = make(&o, NULL);

	(void)state;
	http(a, 1, 1, 40000);
	assert_int_equal(o.dpi, 1);
	assert_string_equal(o.protocol[0], "http");
	assert_int_equal(o.prints, 2); /* of the client's SYN and the server's answer */
	assert_string_equal(o.print[0].ip, "10.0.0.1");
	assert_string_equal(o.print[1].ip, "10.0.0.99");
	assert_int_equal(o.settled, 1);
	assert_int_equal(o.records, 0);
	analysis_tick(a, 6000 * MS);
	assert_int_equal(o.records, 1);
	assert_string_equal(o.record_protocol, "http");
	assert_string_equal(o.end_reason, "fin");
	assert_string_equal(o.source_ip, "10.0.0.1");
	assert_int_equal(o.packets_reverse, 3);
	assert_int_equal(o.bytes_forward, 60 + 40 + 40 + sizeof(request) - 1 + 40);
	tls(a, 7000 * MS, 1, 40001);
	assert_string_equal(o.protocol[1], "tls");
	assert_true(strncmp(o.print[2].ja4, "t12d0101", 8) == 0);
	dns(a, 7001 * MS, 1, 40002);
	assert_string_equal(o.protocol[2], "dns");
	done(a);
}

/* Of a handshake that does not go on, the SYN is told all the same. */
static void a_syn_alone_is_told_in_time(void **state)
{
	struct out o;
	struct analysis *a = make(&o, NULL);
	struct end c = { 1, 40000, 7 }, s = { 2, 80, 0 };

	(void)state;
	feed_tcp(a, 0, &c, &s, PACKET_SYN, "", 0);
	c.sequence = 7;
	feed_tcp(a, 1000 * MS, &c, &s, PACKET_SYN, "", 0); /* sent again */
	assert_int_equal(o.prints, 0);
	analysis_tick(a, 11000 * MS);
	assert_int_equal(o.prints, 1);
	assert_string_equal(o.print[0].p0f, "4:64+0:0:1460:mss*20,7:mss,sok,ts,nop,ws:df,id+:0");
	analysis_end(a, FLOW_END_FILE);
	assert_int_equal(o.prints, 1);
	assert_string_equal(o.record_protocol, "");
	done(a);
}

static void hv_15_a_stack_that_is_known_and_one_that_is_not(void **state)
{
	static const char db[] = "classes = unix\n[tcp:request]\nlabel = s:unix:Marble:4.x\nsys = Marble\n"
				 "sig = *:64:0:*:mss*20,7:mss,sok,ts,nop,ws:df,id+:0\n";
	char dir[64], path[80];
	const char *paths[] = { path, NULL };
	struct error err = { .text = "" };
	struct p0f_store *store;
	struct out o;

	(void)state;
	make_directory(dir, sizeof(dir));
	write_text(dir, "p0f.fp", db);
	snprintf(path, sizeof(path), "%s/p0f.fp", dir);
	assert_int_equal(p0f_store_new(paths, &store, &err), 0);
	struct analysis *a = make(&o, store);

	http(a, 1, 1, 40000);
	assert_string_equal(o.print[0].p0f, "4:64+0:0:1460:mss*20,7:mss,sok,ts,nop,ws:df,id+:0");
	assert_string_equal(o.print[0].label, "s:unix:Marble:4.x");
	assert_true(o.print[0].confidence > 0);
	assert_true(strlen(o.print[1].p0f) > 20); /* the server's answer: a signature, and no match */
	assert_string_equal(o.print[1].label, "");
	assert_true(o.print[1].confidence == 0);
	done(a);
	p0f_store_free(store);
	remove_directory(dir);
}

static void hv_14_a_device_has_what_its_binding_says(void **state)
{
	struct out o;
	struct analysis *a = configured(&o, "{\"enabled\":true,\"deviceBindings\":["
					    "{\"ip\":\"10.0.0.1\",\"profileId\":\"p1\",\"fingerprint\":{\"tcp\":true}},"
					    "{\"ip\":\"10.0.0.2\",\"profileId\":\"p2\",\"fingerprint\":{\"tls\":true}},"
					    "{\"ip\":\"10.0.0.3\",\"profileId\":\"p3\",\"fingerprint\":{},\"dpi\":{\"enabled\":false}},"
					    "{\"ip\":\"10.0.0.4\",\"profileId\":\"p4\",\"dpi\":{\"enabled\":true,\"protocols\":[\"http\"]}},"
					    "{\"ip\":\"10.0.0.99\",\"profileId\":\"p9\",\"fingerprint\":{}}]}");

	(void)state;
	tls(a, 1, 1, 40000);
	assert_int_equal(o.prints, 1);
	assert_true(*o.print[0].p0f && !*o.print[0].ja4);
	assert_string_equal(o.profile[0], "p1");
	tls(a, 2, 2, 40000);
	assert_int_equal(o.prints, 2);
	assert_true(!*o.print[1].p0f && *o.print[1].ja4);
	assert_string_equal(o.profile[1], "p2");
	assert_int_equal(o.dpi, 2);
	tls(a, 3, 3, 40000); /* nothing at all */
	http(a, 3, 3, 40001);
	assert_int_equal(o.prints, 2);
	assert_int_equal(o.dpi, 2);
	http(a, 4, 4, 40000); /* HTTP only: TLS is fingerprinted, and not named */
	assert_int_equal(o.dpi, 3);
	assert_string_equal(o.protocol[2], "http");
	tls(a, 5, 4, 40001);
	dns(a, 5, 4, 40002);
	assert_int_equal(o.dpi, 3);
	assert_true(*o.print[o.prints - 1].ja4);
	http(a, 6, 5, 40000); /* without a binding: the other end's profile */
	assert_int_equal(o.dpi, 4);
	assert_string_equal(o.profile[3], "p9");
	analysis_end(a, FLOW_END_FILE);
	done(a);

	/* For all that have no binding, and what both ends leave out together. */
	a = configured(&o, "{\"enabled\":true,\"dpi\":{\"enabled\":true,\"protocols\":[\"dns\",\"tls\"]},\"deviceBindings\":["
			   "{\"ip\":\"10.0.0.1\",\"dpi\":{\"enabled\":true}},"
			   "{\"ip\":\"10.0.0.99\",\"dpi\":{\"enabled\":true,\"protocols\":[\"http\"]}}]}");
	tls(a, 1, 1, 40000);
	http(a, 2, 1, 40001);
	tls(a, 3, 7, 40000);
	assert_int_equal(o.dpi, 1);
	assert_string_equal(o.protocol[0], "http");
	done(a);
}

static void hv_14_a_protocol_that_does_not_exist_is_refused_by_field(void **state)
{
	struct error err = { .text = "" };
	VisibilityConfig *c = config_of("{\"dpi\":{\"enabled\":true,\"protocols\":[\"http\",\"htpp\"]}}", -EINVAL, &err);

	(void)state;
	assert_says(err.text, "dpi.protocols[1]");
	assert_says(err.text, "htpp");
	protobuf_c_message_free_unpacked(&c->base, NULL);
	c = config_of("{\"deviceBindings\":[{\"ip\":\"10.0.0.1\"},{\"ip\":\"10.0.0.2\",\"dpi\":{\"protocols\":[\"\"]}}]}", -EINVAL, &err);
	assert_says(err.text, "device_bindings[1].dpi.protocols[0]");
	protobuf_c_message_free_unpacked(&c->base, NULL);
	c = config_of("{\"dpi\":{\"protocols\":[\"unknown\"]}}", -EINVAL, &err);
	protobuf_c_message_free_unpacked(&c->base, NULL);
}

static void hv_18_one_event_of_a_class_and_device_in_an_interval(void **state)
{
	struct out o;
	struct analysis *a = configured(&o, "{\"enabled\":true,\"defaultSampleIntervalMs\":1000,"
					    "\"deviceBindings\":[{\"ip\":\"10.0.0.2\",\"sampleIntervalMs\":100}]}");

	(void)state;
	for (uint16_t i = 0; i < 10; i++)
		http(a, i * 10 * MS, 1, (uint16_t)(40000 + i));
	assert_int_equal(o.dpi, 1);
	assert_int_equal(o.prints, 2); /* the client's, the server's */
	assert_int_equal(analysis_totals(a).sampled, 9 + 9 + 9);
	tls(a, 100 * MS, 1, 41000); /* another class: the protocol, and a SYN with a ClientHello */
	assert_int_equal(o.dpi, 2);
	assert_int_equal(o.prints, 3);
	for (uint16_t i = 0; i < 10; i++) /* another device, with its own interval */
		http(a, (200 + i * 20) * MS, 2, (uint16_t)(40000 + i));
	assert_int_equal(o.dpi, 2 + 2);
	http(a, 1001 * MS, 1, 42000); /* the interval is over */
	assert_int_equal(o.dpi, 2 + 2 + 1);
	done(a);
}

static void hv_17_nothing_of_the_payload_is_in_a_message(void **state)
{
	struct out o;
	struct analysis *a = make(&o, NULL);

	(void)state;
	http(a, 1, 1, 40000);
	tls(a, 2, 1, 40001);
	dns(a, 3, 1, 40002);
	analysis_end(a, FLOW_END_FILE);
	assert_int_equal(o.dpi, 3);
	assert_int_equal(o.records, 3);
	assert_true(o.packed_size > 300);
	for (size_t i = 0; i + sizeof(SECRET) - 1 <= o.packed_size; i++)
		assert_true(memcmp(o.packed + i, SECRET, sizeof(SECRET) - 1) != 0);
	assert_true(memcmp(request + 5, SECRET, sizeof(SECRET) - 1) == 0); /* it was there */
	done(a);
}

static void nothing_is_allocated_for_a_packet(void **state)
{
	unsigned long before;
	struct out o;
	struct analysis *a = make(&o, NULL);

	(void)state;
	assert_int_equal(fingerprint_prepare(NULL), 0);
	before = allocations;
	for (uint16_t i = 0; i < 4000; i++) { /* more flows than the table holds */
		http(a, i, 1, (uint16_t)(10000 + i));
		dns(a, i, 3, (uint16_t)(10000 + i));
		o.packed_size = 0;
	}
	assert_true(analysis_totals(a).flows.evicted > 4000);
	assert_int_equal(o.dpi, 8000);
	assert_int_equal(allocations - before, 0);
	/* A ClientHello is hashed by libcrypto, which allocates for itself: for a handshake, not for a packet. */
	for (uint16_t i = 0; i < 1000; i++) {
		tls(a, i, 2, (uint16_t)(10000 + i));
		o.packed_size = 0;
	}
	assert_int_equal(o.dpi, 9000);
	assert_true(allocations - before <= 2000);
	/* The counter counts. */
	before = allocations;
	free(malloc(10));
	assert_int_equal(allocations - before, ALLOCATIONS_COUNTED);
	done(a);
}

static void a_flood_of_syns_is_bounded(void **state)
{
	struct out o;
	struct analysis *a = make(&o, NULL);

	(void)state;
	for (uint32_t i = 0; i < 60000; i++) {
		struct end c = { (uint8_t)(1 + i % 50), (uint16_t)(1024 + i / 50), i }, s = { 99, 80, 0 };

		feed_tcp(a, i, &c, &s, PACKET_SYN, "", 0);
		o.packed_size = 0;
	}
	assert_int_equal(analysis_totals(a).flows.flows, 1024);
	assert_int_equal(o.prints, 60000 - 1024); /* each told when its flow had to go */
	done(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_gives_an_event_fingerprints_and_a_record),
		cmocka_unit_test(a_syn_alone_is_told_in_time),
		cmocka_unit_test(hv_15_a_stack_that_is_known_and_one_that_is_not),
		cmocka_unit_test(hv_14_a_device_has_what_its_binding_says),
		cmocka_unit_test(hv_14_a_protocol_that_does_not_exist_is_refused_by_field),
		cmocka_unit_test(hv_18_one_event_of_a_class_and_device_in_an_interval),
		cmocka_unit_test(hv_17_nothing_of_the_payload_is_in_a_message),
		cmocka_unit_test(nothing_is_allocated_for_a_packet),
		cmocka_unit_test(a_flood_of_syns_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
