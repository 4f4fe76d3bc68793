/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/srctl/flow_file.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/json.h"

#define OBJECT_MAX (64u * 1024)

enum field { ID, SOURCE_IP, DESTINATION_IP, SOURCE_PORT, DESTINATION_PORT, PROTOCOL, START, END, BYTES, PACKETS, FIELDS };

/* What nfdump (JSON and CSV), IPFIX tools (information elements by name) and our own records call a field. */
static const struct {
	const char *name;
	enum field field;
} names[] = {
	{ "external_flow_id", ID }, { "source_ip", SOURCE_IP }, { "src_addr", SOURCE_IP }, { "src4_addr", SOURCE_IP }, { "src6_addr", SOURCE_IP },
	{ "sa", SOURCE_IP }, { "srcAddr", SOURCE_IP }, { "sourceIPv4Address", SOURCE_IP }, { "sourceIPv6Address", SOURCE_IP },
	{ "destination_ip", DESTINATION_IP }, { "dst_addr", DESTINATION_IP }, { "dst4_addr", DESTINATION_IP }, { "dst6_addr", DESTINATION_IP },
	{ "da", DESTINATION_IP }, { "dstAddr", DESTINATION_IP }, { "destinationIPv4Address", DESTINATION_IP },
	{ "destinationIPv6Address", DESTINATION_IP }, { "source_port", SOURCE_PORT }, { "src_port", SOURCE_PORT }, { "sp", SOURCE_PORT },
	{ "srcPort", SOURCE_PORT }, { "sourceTransportPort", SOURCE_PORT }, { "destination_port", DESTINATION_PORT },
	{ "dst_port", DESTINATION_PORT }, { "dp", DESTINATION_PORT }, { "dstPort", DESTINATION_PORT },
	{ "destinationTransportPort", DESTINATION_PORT }, { "ip_protocol", PROTOCOL }, { "transport_protocol", PROTOCOL }, { "proto", PROTOCOL },
	{ "pr", PROTOCOL }, { "protocol", PROTOCOL }, { "protocolIdentifier", PROTOCOL }, { "time_flow_start_ns", START }, { "first", START },
	{ "firstSeen", START }, { "ts", START }, { "flowStartMilliseconds", START }, { "flowStartSeconds", START }, { "time_flow_end_ns", END },
	{ "last", END }, { "lastSeen", END }, { "te", END }, { "flowEndMilliseconds", END }, { "flowEndSeconds", END }, { "bytes", BYTES },
	{ "in_bytes", BYTES }, { "ibyt", BYTES }, { "octetDeltaCount", BYTES }, { "packets", PACKETS }, { "in_packets", PACKETS },
	{ "ipkt", PACKETS }, { "packetDeltaCount", PACKETS },
};

static int field_of(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(name, names[i].name) == 0)
			return (int)names[i].field;
	return -1;
}

/* A number is seconds, milli-, micro- or nanoseconds since 1970, by its size; else "YYYY-MM-DD HH:MM:SS[.fraction][Z]", local
 * time without the Z, as nfdump writes it. The end of a flow of which only the second is known is the end of that second. */
static bool time_of(const char *text, bool end, uint64_t *out)
{
	struct tm tm = { .tm_isdst = -1 };
	char *rest, *point = NULL;
	uint64_t n = strtoull(text, &rest, 10), fraction = 0, unit = 100000000;
	time_t t;

	if (rest != text && (!*rest || *rest == '.')) {
		uint64_t scale = n >= 100000000000000000u ? 1 : (n >= 100000000000000u ? 1000 : (n >= 100000000000u ? 1000000 : 1000000000));

		for (point = rest; scale > 1 && *point && isdigit((unsigned char)point[1]); point++) {
			fraction += (uint64_t)(point[1] - '0') * (scale / 10);
			scale /= 10;
		}
		scale = n >= 100000000000000000u ? 1 : (n >= 100000000000000u ? 1000 : (n >= 100000000000u ? 1000000 : 1000000000));
		*out = n * scale + fraction;
		return true;
	}
	rest = strptime(text, "%Y-%m-%d", &tm);
	rest = rest && (*rest == ' ' || *rest == 'T') ? strptime(rest + 1, "%H:%M:%S", &tm) : NULL;
	if (!rest)
		return false;
	if (*rest == '.') {
		for (rest++; isdigit((unsigned char)*rest); rest++, unit /= 10)
			fraction += (uint64_t)(*rest - '0') * unit;
	} else if (end) {
		fraction = 999999999;
	}
	t = *rest == 'Z' ? timegm(&tm) : mktime(&tm);
	if (t < 0 || (*rest && *rest != 'Z'))
		return false;
	*out = (uint64_t)t * 1000000000 + fraction;
	return true;
}

static bool number_of(const char *text, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return isdigit((unsigned char)*text) && !errno && (!*end || *end == '.'); /* nfdump writes the type of ICMP as "8.0" */
}

static int set(struct flow_line *l, int field, const char *name, const char *text, uint64_t number, struct error *err)
{
	uint64_t *to[FIELDS] = { [ID] = &l->id, [SOURCE_PORT] = &l->source_port, [DESTINATION_PORT] = &l->destination_port,
				 [START] = &l->start_ns, [END] = &l->end_ns, [BYTES] = &l->bytes, [PACKETS] = &l->packets };
	bool ok = true;

	if (field == SOURCE_IP)
		(void)snprintf(l->source_ip, sizeof(l->source_ip), "%s", text);
	else if (field == DESTINATION_IP)
		(void)snprintf(l->destination_ip, sizeof(l->destination_ip), "%s", text);
	else if (field == PROTOCOL)
		(void)snprintf(l->protocol, sizeof(l->protocol), "%s", text);
	else if (field == START || field == END)
		ok = time_of(text, field == END, to[field]);
	else if (field >= 0)
		ok = number_of(text, to[field]);
	return ok ? 0 : error_set(err, -EINVAL, "record %llu: %s: \"%.40s\" is not understood", (unsigned long long)number, name, text);
}

/* ---- JSON ---- */

/* The text of the next object, however the objects are put together. NULL at the end. */
static char *next_object(struct flow_file *f, size_t *length, struct error *err)
{
	_cleanup_free_ char *text = malloc(OBJECT_MAX);
	bool quoted = false, escaped = false;
	unsigned depth = 0;
	size_t n = 0;
	int c;

	while (text && (c = getc(f->in)) != EOF) {
		if (!depth && c != '{')
			continue;
		if (n == OBJECT_MAX) {
			(void)error_set(err, -EINVAL, "record %llu: longer than %u bytes", (unsigned long long)f->number + 1, OBJECT_MAX);
			return NULL;
		}
		text[n++] = (char)c;
		if (quoted) {
			quoted = escaped || c != '"';
			escaped = !escaped && c == '\\';
			continue;
		}
		quoted = c == '"';
		depth += c == '{';
		depth -= c == '}';
		if (!depth) {
			char *out = text;

			text = NULL;
			*length = n;
			return out;
		}
	}
	if (depth)
		(void)error_set(err, -EINVAL, "record %llu: ends in the middle", (unsigned long long)f->number + 1);
	return NULL;
}

static int next_json(struct flow_file *f, struct flow_line *out, struct error *err)
{
	_cleanup_json_ struct json_object *o = NULL;
	_cleanup_free_ char *text = NULL;
	size_t length = 0;
	int r = 0;

	err->text[0] = '\0';
	text = next_object(f, &length, err);
	if (!text)
		return err->text[0] ? -EINVAL : 0;
	f->number++;
	if (json_parse(text, length, "flow", &o, err) < 0)
		return -EINVAL;
	json_object_object_foreach(o, key, value)
	{
		int field = field_of(key);

		if (r == 0 && field >= 0 && value)
			r = set(out, field, key, json_object_get_string(value), f->number, err);
	}
	return r < 0 ? r : 1;
}

/* ---- CSV ---- */

/* The next field of a line, which is cut up; NULL past the last. */
static char *next_cell(char **at)
{
	char *cell = *at, *end;

	if (!cell)
		return NULL;
	end = strchr(cell, ',');
	*at = end ? end + 1 : NULL;
	if (end)
		*end = '\0';
	cell += strspn(cell, " \t\"");
	for (size_t n = strlen(cell); n > 0 && strchr(" \t\r\n\"", cell[n - 1]); n--)
		cell[n - 1] = '\0';
	return cell;
}

static int next_csv(struct flow_file *f, struct flow_line *out, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	unsigned n = 0;
	char *at, *cell;
	int r = 0;

	if (getline(&line, &size, f->in) < 0 || strncmp(line, "Summary", 7) == 0 || strncmp(line, "No matching", 11) == 0)
		return 0; /* what nfdump writes behind the flows */
	f->number++;
	at = line;
	while ((cell = next_cell(&at)) && n < f->n_columns) {
		int field = f->columns[n++];

		if (r == 0 && field >= 0 && *cell)
			r = set(out, field, "column", cell, f->number, err);
	}
	return r < 0 ? r : 1;
}

int flow_file_begin(struct flow_file *f, FILE *in, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	char *at, *cell;
	bool any = false;
	size_t size = 0;
	int c;

	*f = (struct flow_file){ .in = in };
	do
		c = getc(in);
	while (c != EOF && isspace(c));
	if (c == EOF)
		return 0;
	(void)ungetc(c, in);
	if (c == '[' || c == '{')
		return 0;
	f->csv = true;
	if (getline(&line, &size, in) < 0)
		return 0;
	at = line;
	while ((cell = next_cell(&at)) && f->n_columns < sizeof(f->columns) / sizeof(f->columns[0])) {
		int field = field_of(cell);

		any = any || field >= 0;
		f->columns[f->n_columns++] = field;
	}
	return any ? 0 : error_set(err, -EINVAL, "neither JSON nor CSV with a head line that names a column we know");
}

int flow_file_next(struct flow_file *f, struct flow_line *out, struct error *err)
{
	*out = (struct flow_line){ .source_ip = "" };
	return f->csv ? next_csv(f, out, err) : next_json(f, out, err);
}
