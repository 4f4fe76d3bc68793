/* SPDX-License-Identifier: Apache-2.0 */
/* Between the p0f files: what a packet shows, what a signature asks for. */
#pragma once

#include "netprobe/fingerprint/fingerprint.h"

#define P0F_OPTIONS_MAX  24u /* of TCP; more are "bad" */
#define P0F_DISTANCE_MAX 35  /* hops; a TTL further below is none that p0f guesses from */

/* Kinds of TCP options that have a name. */
enum { OPTION_EOL = 0, OPTION_NOP = 1, OPTION_MSS = 2, OPTION_WS = 3, OPTION_SOK = 4, OPTION_SACK = 5, OPTION_TS = 8 };

/* In the order in which they are printed. */
enum p0f_quirk {
	QUIRK_DF,        /* df: don't fragment */
	QUIRK_ID_NZ,     /* id+: an IP id although it is not to be fragmented */
	QUIRK_ID_ZERO,   /* id-: none although it may be */
	QUIRK_ECN,       /* ecn */
	QUIRK_MBZ,       /* 0+: the reserved flag of IPv4 */
	QUIRK_FLOW,      /* flow: an IPv6 flow label */
	QUIRK_SEQ_ZERO,  /* seq- */
	QUIRK_ACK_NZ,    /* ack+: an acknowledgement number without the flag */
	QUIRK_ACK_ZERO,  /* ack-: the flag without a number */
	QUIRK_URGENT_NZ, /* uptr+: an urgent pointer without the flag */
	QUIRK_URGENT,    /* urgf+ */
	QUIRK_PUSH,      /* pushf+ */
	QUIRK_TS1_ZERO,  /* ts1-: own timestamp is 0 */
	QUIRK_TS2_NZ,    /* ts2+: the other's timestamp in a SYN */
	QUIRK_EOL_NZ,    /* opt+: bytes other than 0 behind the end of the options */
	QUIRK_SCALE,     /* exws: a window scale above 14 */
	QUIRK_BAD,       /* bad: malformed options */
	QUIRKS
};
extern const char *const p0f_quirk_names[QUIRKS];
#define QUIRK(q) (UINT32_C(1) << (q))

/* "nop" … "ts"; NULL for a kind without a name and for OPTION_EOL, which is written with its padding. */
const char *p0f_option_name(uint8_t kind);

struct p0f_layout {
	uint8_t count;
	uint8_t kinds[P0F_OPTIONS_MAX];
	uint8_t eol_padding; /* bytes behind the end of the options */
};

/* What a SYN or SYN+ACK shows. */
struct p0f_packet {
	uint8_t ip_version, ttl;
	uint8_t ip_options; /* bytes */
	bool answer;        /* SYN+ACK */
	uint16_t mss, window;
	uint8_t scale;
	bool timestamp;     /* one that is not 0 */
	bool payload;
	uint16_t headers;   /* bytes of IP and TCP header */
	struct p0f_layout layout;
	uint32_t quirks;
};

/* A window told as a multiple of something the packet shows. */
struct p0f_multiple {
	enum { MULTIPLE_NONE, MULTIPLE_MSS, MULTIPLE_MTU } of;
	uint16_t times;
};

/* 0, or -EBADMSG as p0f_signature says. */
int p0f_read_packet(const struct packet *p, struct p0f_packet *out);
struct p0f_multiple p0f_window_multiple(const struct p0f_packet *p, uint16_t syn_mss);
/* Hops to the next higher of the usual initial TTLs. */
uint8_t p0f_guess_distance(uint8_t ttl);

enum p0f_window { WINDOW_ANY, WINDOW_EXACT, WINDOW_MODULO, WINDOW_MSS, WINDOW_MTU };

#define P0F_ANY (-1)

/* One `sig` line. */
struct p0f_record {
	int16_t ip_version;  /* 4, 6 or P0F_ANY */
	uint8_t ttl;
	bool random_ttl;     /* ttl is the highest */
	uint8_t ip_options;
	int32_t mss;         /* or P0F_ANY */
	enum p0f_window window_kind;
	uint16_t window;     /* of its kind: value, divisor or factor */
	int16_t scale;       /* or P0F_ANY */
	int16_t payload;     /* 0, 1 or P0F_ANY */
	struct p0f_layout layout;
	uint32_t quirks;
	uint32_t label;      /* index */
	int32_t next;        /* of the same bucket, in the order of the file; -1 at the end */
};

struct p0f_label {
	bool generic, tool;
	char text[sizeof(((struct p0f_match *)NULL)->label)]; /* as in the file */
	char name[sizeof(((struct p0f_match *)NULL)->name)];
	char flavor[sizeof(((struct p0f_match *)NULL)->flavor)];
	char os_family[sizeof(((struct p0f_match *)NULL)->os_family)];
};

#define P0F_BUCKETS 64u

struct p0f_db {
	struct p0f_record *records;
	size_t record_count, record_capacity;
	struct p0f_label *labels;
	size_t label_count, label_capacity;
	int32_t first[2][P0F_BUCKETS], last[2][P0F_BUCKETS]; /* by direction (1: SYN+ACK) and layout; -1: none */
	char revision[32];
};

unsigned p0f_bucket(const struct p0f_layout *l);

/* Reads one `sig` value. 0, or -EINVAL with *why set to what is wrong. */
int p0f_record_parse(const char *text, struct p0f_record *out, const char **why);
