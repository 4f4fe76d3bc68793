/* SPDX-License-Identifier: Apache-2.0 */
/* objs: netprobe/packet.c netprobe/link.c netprobe/fingerprint/p0f_packet.c netprobe/fingerprint/p0f_print.c netprobe/fingerprint/p0f_match.c netprobe/fingerprint/p0f_record.c netprobe/fingerprint/p0f_db.c netprobe/fingerprint/p0f_store.c netprobe/fingerprint/digest.c netprobe/fingerprint/fuse.c netprobe/fingerprint/clients.c netprobe/fingerprint/message.c proto/netprobe.pb-c.c */
#include <errno.h>
#include <unistd.h>

#include "netprobe/fingerprint/message.h"
#include "tests/unit/unit.h"
#include "tests/unit/syn.h"

#define DF       0x4000
#define RESERVED 0x8000
#define PLAIN    .window = 1024, .ip_flags = DF, .id = 5

static char directory[64];

static const char *write_file(const char *name, const char *text)
{
	static char path[2][128];
	static unsigned turn;
	char *p = path[turn++ % 2];

	write_text(directory, name, text);
	(void)snprintf(p, sizeof(path[0]), "%s/%s", directory, name);
	return p;
}

static struct p0f_db *read_db(const char *text)
{
	const char *paths[] = { write_file("test.fp", text), NULL };
	struct error err = { .text = "" };
	struct p0f_db *db = NULL;

	if (p0f_db_read(paths, &db, &err) < 0)
		fail_msg("%s", err.text);
	return db;
}

static void signature_is(const struct syn *s, const char *expected)
{
	struct packet p = syn_packet(s);
	char out[P0F_BYTES];

	assert_int_equal(p0f_signature(&p, 0, out), 0);
	assert_string_equal(out, expected);
}

/* What p0f 3.09b prints for the same packets. */
static void hv_15_raw_signatures(void **state)
{
	static const struct {
		struct syn syn;
		const char *signature;
	} cases[] = {
		{ { .window = 29200, .ip_flags = DF, .id = 5, OPTIONS(LINUX_OPTIONS) }, "4:64+0:0:1460:mss*20,7:mss,sok,ts,nop,ws:df,id+:0" },
		{ { .version = 6, .window = 28800, .ttl = 54, .flow = 9, OPTIONS(MSS(1440), SOK, TS(7, 0), NOP, WS(7)) },
		  "6:54+10:0:1440:mss*20,7:mss,sok,ts,nop,ws:flow:0" },
		{ { PLAIN, .ttl = 28 }, "4:28+4:0:0:1024,0::df,id+:0" },
		{ { PLAIN, .ttl = 92 }, "4:92+?:0:0:1024,0::df,id+:0" },
		{ { .window = 1024 }, "4:64+0:0:0:1024,0::id-:0" },
		{ { .window = 1024, .id = 5, .ip_flags = RESERVED }, "4:64+0:0:0:1024,0::0+:0" },
		{ { PLAIN, .ip_options = 8 }, "4:64+0:8:0:1024,0::df,id+:0" },
		{ { PLAIN, .tos = 2 }, "4:64+0:0:0:1024,0::df,id+,ecn:0" },
		{ { .version = 6, .tos = 1, .window = 1024 }, "6:64+0:0:0:1024,0::ecn:0" },
		{ { PLAIN, .flags = PACKET_ECE | PACKET_CWR }, "4:64+0:0:0:1024,0::df,id+,ecn:0" },
		{ { PLAIN, .reserved = 1 }, "4:64+0:0:0:1024,0::df,id+,ecn:0" },
		{ { PLAIN, .reserved = 6 }, "4:64+0:0:0:1024,0::df,id+:0" },
		{ { PLAIN, .no_sequence = true }, "4:64+0:0:0:1024,0::df,id+,seq-:0" },
		{ { PLAIN, .acknowledgement = 0x01000000 }, "4:64+0:0:0:1024,0::df,id+,ack+:0" },
		{ { PLAIN, .acknowledgement = 0x02000003 }, "4:64+0:0:0:1024,0::df,id+:0" },
		{ { PLAIN, .flags = PACKET_ACK }, "4:64+0:0:0:1024,0::df,id+,ack-:0" },
		{ { PLAIN, .flags = PACKET_ACK, .acknowledgement = 1 }, "4:64+0:0:0:1024,0::df,id+:0" },
		{ { PLAIN, .urgent = 3 }, "4:64+0:0:0:1024,0::df,id+,uptr+:0" },
		{ { PLAIN, .urgent = 3, .flags = PACKET_URG }, "4:64+0:0:0:1024,0::df,id+,urgf+:0" },
		{ { PLAIN, .flags = PACKET_PSH }, "4:64+0:0:0:1024,0::df,id+,pushf+:0" },
		{ { PLAIN, .payload = 3 }, "4:64+0:0:0:1024,0::df,id+:+" },
		{ { PLAIN, OPTIONS(TS(0, 0), NOP, NOP) }, "4:64+0:0:0:1024,0:ts,nop,nop:df,id+,ts1-:0" },
		{ { PLAIN, OPTIONS(TS(1, 9), NOP, NOP) }, "4:64+0:0:0:1024,0:ts,nop,nop:df,id+,ts2+:0" },
		{ { PLAIN, .flags = PACKET_ACK, .acknowledgement = 1, OPTIONS(TS(1, 9), NOP, NOP) },
		  "4:64+0:0:0:1024,0:ts,nop,nop:df,id+:0" },
		{ { PLAIN, OPTIONS(MSS(1460), 0, 0, 0, 0) }, "4:64+0:0:1460:1024,0:mss,eol+3:df,id+:0" },
		{ { PLAIN, OPTIONS(MSS(1460), 0, 0, 1, 0) }, "4:64+0:0:1460:1024,0:mss,eol+3:df,id+,opt+:0" },
		{ { PLAIN, OPTIONS(MSS(1460), 0, 0, 0, 1) }, "4:64+0:0:1460:1024,0:mss,eol+3:df,id+:0" },
		{ { PLAIN, OPTIONS(WS(15), NOP) }, "4:64+0:0:0:1024,15:ws,nop:df,id+,exws:0" },
		{ { PLAIN, OPTIONS(254, 4, 1, 2) }, "4:64+0:0:0:1024,0:?254:df,id+:0" },
		{ { PLAIN, OPTIONS(5, 10, 0, 0, 0, 1, 0, 0, 0, 2, NOP, NOP) }, "4:64+0:0:0:1024,0:sack,nop,nop:df,id+:0" },
		{ { PLAIN, OPTIONS(2, 3, 5, 0xb4) }, "4:64+0:0:1460:1024,0:mss:df,id+,bad:0" },
		{ { PLAIN, OPTIONS(NOP, NOP, NOP, 3) }, "4:64+0:0:0:1024,0:nop,nop,nop,ws:df,id+,bad:0" },
		{ { PLAIN, OPTIONS(254, 1, 0, 0) }, "4:64+0:0:0:1024,0:?254:df,id+,bad:0" },
		{ { PLAIN, OPTIONS(254, 9, 0, 0) }, "4:64+0:0:0:1024,0:?254:df,id+,bad:0" },
		{ { PLAIN, OPTIONS(5, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) }, "4:64+0:0:0:1024,0:sack:df,id+,bad:0" },
		{ { PLAIN, OPTIONS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1) },
		  "4:64+0:0:0:1024,0:nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop,nop"
		  ":df,id+,bad:0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		signature_is(&cases[i].syn, cases[i].signature);
}

/* Which multiple a window is told as. */
static void hv_15_windows(void **state)
{
	static const struct {
		struct syn syn;
		uint16_t syn_mss;
		const char *window;
	} cases[] = {
		{ { .window = 14000, OPTIONS(MSS(1400)) }, 0, ":mss*10," },
		{ { .window = 13880, OPTIONS(MSS(1400), TS(1, 0), NOP, NOP) }, 0, ":mss*10," },   /* less a timestamp */
		{ { .window = 13880, OPTIONS(MSS(1400), TS(0, 0), NOP, NOP) }, 0, ":13880," },    /* which counts as none */
		{ { .window = 4380, OPTIONS(MSS(1400)) }, 0, ":mss*3," },                         /* of 1,460 */
		{ { .window = 4344, OPTIONS(MSS(1400)) }, 0, ":mss*3," },                         /* of 1,448 */
		{ { .window = 4320, OPTIONS(MSS(1400)) }, 0, ":mtu*3," },                         /* of the packet: 1,440 */
		{ { .version = 6, .window = 4320, OPTIONS(MSS(1420)) }, 0, ":mss*3," },           /* of 1,440 */
		{ { .window = 4500, OPTIONS(MSS(1400)) }, 0, ":mtu*3," },                         /* of 1,500 */
		{ { .window = 7000, .flags = PACKET_ACK, OPTIONS(MSS(1300)) }, 1400, ":mss*5," }, /* of the other end */
		{ { .window = 6940, .flags = PACKET_ACK, OPTIONS(MSS(1300)) }, 1400, ":mss*5," },
		{ { .window = 7000, .flags = PACKET_ACK, OPTIONS(MSS(1300)) }, 0, ":7000," },
		{ { .window = 990, OPTIONS(MSS(99)) }, 0, ":990," },
		{ { .window = 0, OPTIONS(MSS(1400)) }, 0, ":0," },
		{ { .window = 1331, .flags = PACKET_ACK, OPTIONS(MSS(1331)) }, 0, ":*:mss*1," },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct packet p = syn_packet(&cases[i].syn);
		char out[P0F_BYTES];

		assert_int_equal(p0f_signature(&p, cases[i].syn_mss, out), 0);
		if (!strstr(out, cases[i].window))
			fail_msg("case %zu: %s has no %s", i, out, cases[i].window);
	}
}

static void the_longest_signature_fits(void **state)
{
	struct syn s = { .version = 6, .window = 65535, .tos = 3, .flow = 1, .no_sequence = true, .acknowledgement = 0x01000000,
			 .urgent = 1, .flags = PACKET_PSH, .payload = 1, .option_bytes = 40 };
	struct packet p;
	char out[P0F_BYTES];

	(void)state;
	for (size_t i = 0; i < 32; i += 2) {
		s.options[i] = 200;
		s.options[i + 1] = 2;
	}
	memset(s.options + 32, 1, 8);
	p = syn_packet(&s);
	assert_int_equal(p0f_signature(&p, 0, out), 0);
	assert_true(strlen(out) < P0F_BYTES - 60);
	assert_string_equal(out + strlen(out) - 2, ":+");
}

static void what_is_no_syn_has_no_signature(void **state)
{
	struct syn plain = { PLAIN };
	struct packet p = syn_packet(&plain);
	char out[P0F_BYTES];

	(void)state;
	p.fragment = true;
	assert_int_equal(p0f_signature(&p, 0, out), -EBADMSG);
	plain.flags = PACKET_RST;
	p = syn_packet(&plain);
	assert_int_equal(p0f_signature(&p, 0, out), -EBADMSG);
	plain.flags = PACKET_FIN;
	p = syn_packet(&plain);
	assert_int_equal(p0f_signature(&p, 0, out), -EBADMSG);
	plain.flags = 0;
	p = syn_packet(&plain);
	p.transport.size = 19;
	assert_int_equal(p0f_signature(&p, 0, out), -EBADMSG);
	assert_string_equal(out, "");
	assert_int_equal(p0f_mss(&p), 0);
}

static void the_mss_of_a_syn(void **state)
{
	struct packet with = syn_packet(&(struct syn){ PLAIN, OPTIONS(NOP, NOP, NOP, NOP, MSS(1234)) });
	struct packet without = syn_packet(&(struct syn){ PLAIN });

	(void)state;
	assert_int_equal(p0f_mss(&with), 1234);
	assert_int_equal(p0f_mss(&without), 0);
}

/* ---- matching ---- */

static const char database[] = "; ours\n"
			       "classes = win,unix,other\n"
			       "[mtu]\nlabel = Ethernet\nsig = 1500\n"
			       "[tcp:request]\n"
			       "label = g:unix:Linux:last resort\n"
			       "sig = *:64:0:*:*,*:mss,sok,ts,nop,ws:df,id+:0\n"
			       "label = s:unix:Linux:5.x and newer\n"
			       "sig   = *:64:0:*:mss*44,7:mss,sok,ts,nop,ws:df,id+:0\n"
			       "sig   = *:64:0:*:mss*20,*:mss,sok,ts,nop,ws:df,id+:0\n"
			       "label = s:win:Windows:10 or 11\n"
			       "sig   = *:128:0:*:%8192,8:mss,nop,ws,nop,nop,sok:df,id+:0\n"
			       "label = s:unix:Mac OS X:13\n"
			       "sig   = *:64:0:*:mtu*3,*:mss,nop,nop,nop,nop:df,id+:*\n"
			       "label = s:!:Scanner:SYN scan\nsys = @unix,@win\n"
			       "sig   = *:64-:0:1460:1024,0:mss::0\n"
			       "[tcp:response]\n"
			       "label = s:other:Toaster:\n"
			       "sig   = 4:50+10:0:*:4096,0:mss,eol+3::0\n"
			       "[http:request]\n"
			       "ua_os = Linux\nlabel = s:!:wget:\nsys = Linux\nsig = *:Host::Wget\n";

static struct p0f_match match(const struct p0f_db *db, const struct syn *s)
{
	struct packet p = syn_packet(s);
	struct p0f_match m;

	p0f_match(db, &p, 0, &m);
	return m;
}

static void hv_15_a_known_stack(void **state)
{
	struct p0f_db *db = read_db(database);
	struct p0f_match m = match(db, &(struct syn){ .window = 29200, .ttl = 54, .ip_flags = DF, .id = 5, OPTIONS(LINUX_OPTIONS) });

	(void)state;
	assert_int_equal(p0f_db_signatures(db), 7);
	assert_true(m.found && !m.generic && !m.fuzzy && !m.tool);
	assert_string_equal(m.label, "s:unix:Linux:5.x and newer");
	assert_string_equal(m.name, "Linux");
	assert_string_equal(m.flavor, "5.x and newer");
	assert_string_equal(m.os_family, "linux");
	assert_int_equal(m.distance, 10);
	/* Over IPv6 there is no DF and no id, and the flow label is asked for no more. */
	m = match(db, &(struct syn){ .version = 6, .window = 28800, OPTIONS(MSS(1440), SOK, TS(7, 0), NOP, WS(9)) });
	assert_true(m.found && !m.fuzzy);
	/* Windows as a multiple of a number, and of the packet's size. */
	m = match(db, &(struct syn){ .window = 64 * 1024 - 8192, .ttl = 128, .ip_flags = DF, .id = 5,
				     OPTIONS(MSS(1460), NOP, WS(8), NOP, NOP, SOK) });
	assert_string_equal(m.os_family, "windows");
	m = match(db, &(struct syn){ .window = 4320, .ip_flags = DF, .id = 5, .payload = 2, OPTIONS(MSS(1400), NOP, NOP, NOP, NOP) });
	assert_string_equal(m.os_family, "macos");
	assert_false(match(db, &(struct syn){ .window = 4200, .ip_flags = DF, .id = 5, OPTIONS(MSS(1400), NOP, NOP, NOP, NOP) }).found);
	p0f_db_free(db);
}

static void hv_15_last_resort_and_near_miss(void **state)
{
	struct p0f_db *db = read_db(database);
	struct syn s = { .window = 1000, .ip_flags = DF, .id = 5, OPTIONS(LINUX_OPTIONS) };
	struct p0f_match m = match(db, &s);

	(void)state;
	assert_true(m.found && m.generic && !m.fuzzy); /* although it comes first, only when no specific one fits */
	assert_string_equal(m.flavor, "last resort");
	s.window = 29200;
	s.ip_flags = 0; /* df and id+ may go, id- may come: the specific one nearly fits, the generic one as well and is first */
	m = match(db, &s);
	assert_true(m.found && m.fuzzy);
	s.ip_flags = DF;
	s.ttl = 20; /* 44 hops: more than a distance that is believed */
	m = match(db, &s);
	assert_true(m.found && m.fuzzy);
	assert_int_equal(m.distance, 12); /* guessed from 32 */
	s.ttl = 64;
	s.urgent = 1; /* nothing else may come */
	assert_false(match(db, &s).found);
	p0f_db_free(db);
}

static void hv_15_a_tool_is_no_system(void **state)
{
	struct p0f_db *db = read_db(database);
	struct syn s = { .window = 1024, .ttl = 50, .id = 9, OPTIONS(MSS(1460)) };
	struct p0f_match m = match(db, &s);

	(void)state;
	assert_true(m.found && m.tool && m.random_ttl);
	assert_string_equal(m.name, "Scanner");
	assert_string_equal(m.os_family, "");
	assert_int_equal(m.distance, 14);
	s.ttl = 65; /* above the highest */
	assert_false(match(db, &s).found);
	s.ttl = 50;
	s.id = 0; /* a near miss of a tool is nothing */
	assert_false(match(db, &s).found);
	p0f_db_free(db);
}

static void hv_15_a_syn_ack_has_signatures_of_its_own(void **state)
{
	struct p0f_db *db = read_db(database);
	struct syn s = { .window = 4096, .ttl = 55, .id = 9, .flags = PACKET_ACK, .acknowledgement = 3, OPTIONS(MSS(1000), 0, 0, 0, 0) };
	struct p0f_match m = match(db, &s);

	(void)state;
	assert_true(m.found);
	assert_string_equal(m.name, "Toaster");
	assert_string_equal(m.flavor, "");
	assert_string_equal(m.os_family, "toaster");
	assert_int_equal(m.distance, 5); /* to the signature's 60; it would be guessed as 9 */
	s.flags = 0;
	s.acknowledgement = 0;
	assert_false(match(db, &s).found);
	p0f_db_free(db);
}

static void hv_15_an_unknown_stack(void **state)
{
	struct p0f_db *db = read_db(database);
	struct packet p = syn_packet(&(struct syn){ PLAIN, OPTIONS(MSS(1460), 253, 4, 1, 1) });
	struct fuse_input in = { 0 };
	struct fingerprint_message out;
	char signature[P0F_BYTES];
	struct p0f_match m;

	(void)state;
	assert_int_equal(p0f_signature(&p, 0, signature), 0);
	p0f_match(db, &p, 0, &m);
	assert_false(m.found);
	in.p0f_signature = signature;
	in.p0f = &m;
	fingerprint_message(&in, &out);
	assert_string_equal(out.message.p0f_signature, "4:64+0:0:1460:1024,0:mss,?253:df,id+:0");
	assert_true(out.message.tcp_observed);
	assert_null(out.message.p0f_match);
	assert_null(out.message.os_match);
	assert_int_equal(out.message.agreement_count, 0);
	assert_true(out.os.confidence == 0);
	p0f_match(NULL, &p, 0, &m); /* without a database nothing is known */
	assert_false(m.found);
	p0f_db_free(db);
}

/* ---- the file ---- */

static void refuses(const char *text, const char *why)
{
	const char *paths[] = { write_file("wrong.fp", text), NULL };
	struct error err = { .text = "" };
	struct p0f_db *db;

	assert_int_equal(p0f_db_read(paths, &db, &err), -EINVAL);
	assert_null(db);
	assert_says(err.text, why);
}

#define WITH(sig) "[tcp:request]\nlabel = s:unix:X:\nsig = " sig "\n"

static void a_wrong_file_is_refused_with_its_line(void **state)
{
	(void)state;
	refuses("[tcp:request]\nsig = *:64:0:*:1,0:mss::0\n", "wrong.fp:2: a signature without a label");
	refuses("nonsense\n", ":1: neither a section");
	refuses("[tcp:request\n", "ends with ]");
	refuses("[tcp:request]\nlabel = s:unix:X\n", "four parts");
	refuses("[tcp:request]\nlabel = x:unix:X:\n", "s or g");
	refuses("[tcp:request]\nfoo = 1\n", "no such key: \"foo\"");
	refuses(WITH("*:64:0:*:1,0:mss:0"), "eight fields");
	refuses(WITH("5:64:0:*:1,0:mss::0"), "IP version");
	refuses(WITH("*:0:0:*:1,0:mss::0"), "TTL");
	refuses(WITH("*:200+60:0:*:1,0:mss::0"), "TTL");
	refuses(WITH("*:64:x:*:1,0:mss::0"), "IP options");
	refuses(WITH("*:64:0:65536:1,0:mss::0"), "MSS");
	refuses(WITH("*:64:0:*:mss*0,0:mss::0"), "window");
	refuses(WITH("*:64:0:*:%0,0:mss::0"), "window");
	refuses(WITH("*:64:0:*:1:mss::0"), "window");
	refuses(WITH("*:64:0:*:1,256:mss::0"), "window");
	refuses(WITH("*:64:0:*:1,0:mess::0"), "layout");
	refuses(WITH("*:64:0:*:1,0:?256::0"), "layout");
	refuses(WITH("*:64:0:*:1,0:mss:odd:0"), "quirk");
	refuses(WITH("*:64:0:*:1,0:mss::1"), "payload class");
}

static void no_file_is_told_and_others_are_read_all_the_same(void **state)
{
	const char *paths[] = { "/nonexistent/p0f.fp", write_file("a.fp", WITH("*:64:0:*:1,0:mss::0")), NULL };
	const char *none[] = { "/nonexistent/p0f.fp", NULL };
	struct error err;
	struct p0f_db *db;
	char revision[32];

	(void)state;
	assert_int_equal(p0f_db_read(none, &db, &err), -ENOENT);
	assert_says(err.text, "/nonexistent/p0f.fp");
	assert_int_equal(p0f_db_read(paths, &db, &err), 0);
	assert_int_equal(p0f_db_signatures(db), 1);
	assert_int_equal(strncmp(p0f_db_revision(db), "sha256:", 7), 0);
	(void)snprintf(revision, sizeof(revision), "%s", p0f_db_revision(db));
	p0f_db_free(db);
	paths[0] = write_file("b.fp", WITH("*:64:0:*:2,0:mss::0"));
	assert_int_equal(p0f_db_read(paths, &db, &err), 0);
	assert_int_equal(p0f_db_signatures(db), 2);
	assert_string_not_equal(p0f_db_revision(db), revision);
	p0f_db_free(db);
}

static void a_changed_file_is_read_anew(void **state)
{
	const char *path = write_file("store.fp", WITH("*:64:0:*:1,0:mss::0"));
	const char *paths[] = { path, NULL };
	struct error err = { .text = "" };
	struct p0f_store *s;

	(void)state;
	assert_int_equal(p0f_store_new(paths, &s, &err), 0);
	assert_int_equal(p0f_db_signatures(p0f_store_db(s)), 1);
	assert_int_equal(p0f_store_refresh(s, &err), 0);
	(void)write_file("store.fp", WITH("*:64:0:*:1,0:mss::0\nsig = *:64:0:*:2,0:mss::0"));
	assert_int_equal(p0f_store_refresh(s, &err), 1);
	assert_int_equal(p0f_db_signatures(p0f_store_db(s)), 2);
	(void)write_file("store.fp", "wrong\n"); /* the one before stays, and it is told once */
	assert_int_equal(p0f_store_refresh(s, &err), -EINVAL);
	assert_int_equal(p0f_store_refresh(s, &err), 0);
	assert_int_equal(p0f_db_signatures(p0f_store_db(s)), 2);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(p0f_store_refresh(s, &err), 1);
	assert_null(p0f_store_db(s));
	(void)write_file("store.fp", WITH("*:64:0:*:1,0:mss::0"));
	assert_int_equal(p0f_store_refresh(s, &err), 1);
	assert_int_equal(p0f_db_signatures(p0f_store_db(s)), 1);
	p0f_store_free(s);
}

static void a_store_lives_with_no_file_and_with_a_wrong_one(void **state)
{
	const char *none[] = { "/nonexistent/p0f.fp", NULL };
	const char *wrong[] = { write_file("wrong.fp", "wrong\n"), NULL };
	const char *many[P0F_FILES_MAX + 2] = { 0 };
	struct error err;
	struct p0f_store *s;

	(void)state;
	assert_int_equal(p0f_store_new(none, &s, &err), 0);
	assert_null(p0f_store_db(s));
	p0f_store_free(s);
	assert_int_equal(p0f_store_new(wrong, &s, &err), -EINVAL);
	assert_non_null(s);
	(void)write_file("wrong.fp", WITH("*:64:0:*:1,0:mss::0"));
	assert_int_equal(p0f_store_refresh(s, &err), 1);
	assert_non_null(p0f_store_db(s));
	p0f_store_free(s);
	for (size_t i = 0; i <= P0F_FILES_MAX; i++)
		many[i] = "/nonexistent/p0f.fp";
	assert_int_equal(p0f_store_new(many, &s, &err), -E2BIG);
	assert_null(s);
}

static int set_up(void **state)
{
	(void)state;
	(void)make_directory(directory, sizeof(directory));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	remove_directory(directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hv_15_raw_signatures),
		cmocka_unit_test(hv_15_windows),
		cmocka_unit_test(the_longest_signature_fits),
		cmocka_unit_test(what_is_no_syn_has_no_signature),
		cmocka_unit_test(the_mss_of_a_syn),
		cmocka_unit_test(hv_15_a_known_stack),
		cmocka_unit_test(hv_15_last_resort_and_near_miss),
		cmocka_unit_test(hv_15_a_tool_is_no_system),
		cmocka_unit_test(hv_15_a_syn_ack_has_signatures_of_its_own),
		cmocka_unit_test(hv_15_an_unknown_stack),
		cmocka_unit_test(a_wrong_file_is_refused_with_its_line),
		cmocka_unit_test(no_file_is_told_and_others_are_read_all_the_same),
		cmocka_unit_test(a_changed_file_is_read_anew),
		cmocka_unit_test(a_store_lives_with_no_file_and_with_a_wrong_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
