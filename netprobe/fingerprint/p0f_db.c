/* SPDX-License-Identifier: Apache-2.0 */
/* Reads files of the p0f.fp format. What this program has no use for is passed over: other sections, and the lines `classes`,
 * `sys` and `ua_os`, with which p0f looks for traffic that lies. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "netprobe/fingerprint/digest.h"
#include "netprobe/fingerprint/p0f.h"

#define FILE_BYTES_MAX (4u * 1024 * 1024)
#define RECORDS_MAX    65536u

enum section { SECTION_OTHER = -1, SECTION_REQUEST, SECTION_RESPONSE };

struct reader {
	struct p0f_db *db;
	const char *path;
	unsigned line;
	enum section section;
	bool labelled; /* a label came in this section */
	struct error *err;
};

static int wrong(const struct reader *r, const char *why, const char *value)
{
	return error_set(r->err, -EINVAL, "%s:%u: %s: \"%s\"", r->path, r->line, why, value);
}

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

/* Room for one more element in an array that grows by doubling. */
static int grow(void **array, size_t *capacity, size_t count, size_t element)
{
	size_t more = *capacity ? *capacity * 2 : 64;
	void *p;

	if (count < *capacity)
		return 0;
	p = reallocarray(*array, more, element);
	if (!p)
		return -ENOMEM;
	*array = p;
	*capacity = more;
	return 0;
}

/* What this program calls a system: p0f's name in lower case, by the class where that says more. */
static void set_family(struct p0f_label *l, const char *class)
{
	const char *family = l->name;

	if (l->tool)
		family = "";
	else if (strcmp(class, "win") == 0)
		family = "windows";
	else if (strcmp(l->name, "Mac OS X") == 0 || strcmp(l->name, "MacOS X") == 0) /* p0f.fp has both */
		family = "macos";
	(void)snprintf(l->os_family, sizeof(l->os_family), "%.31s", family);
	for (char *p = l->os_family; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

static bool copy(char *to, size_t size, const char *from)
{
	return snprintf(to, size, "%s", from) < (int)size;
}

/* type:class:name:flavor */
static int read_label(struct reader *r, const char *value)
{
	struct p0f_label *l;
	char text[sizeof(l->text)], *at = text, *type, *class, *name;
	int n = grow((void **)&r->db->labels, &r->db->label_capacity, r->db->label_count, sizeof(*l));

	if (n < 0)
		return error_set(r->err, n, "%s: out of memory", r->path);
	if (!copy(text, sizeof(text), value))
		return wrong(r, "the label is too long", value);
	type = strsep(&at, ":");
	class = strsep(&at, ":");
	name = strsep(&at, ":");
	if (!class || !name || !at || !*class || !*name)
		return wrong(r, "a label has four parts with colons between them", value);
	if (strcmp(type, "s") != 0 && strcmp(type, "g") != 0)
		return wrong(r, "a label's type is s or g", value);
	l = &r->db->labels[r->db->label_count];
	memset(l, 0, sizeof(*l));
	l->generic = *type == 'g';
	l->tool = strcmp(class, "!") == 0;
	if (!copy(l->text, sizeof(l->text), value) || !copy(l->name, sizeof(l->name), name) ||
	    !copy(l->flavor, sizeof(l->flavor), at))
		return wrong(r, "the name or flavor is too long", value);
	set_family(l, class);
	r->db->label_count++;
	r->labelled = true;
	return 0;
}

static void chain(struct p0f_db *db, unsigned direction, int32_t index)
{
	unsigned bucket = p0f_bucket(&db->records[index].layout);
	int32_t last = db->last[direction][bucket];

	if (last < 0)
		db->first[direction][bucket] = index;
	else
		db->records[last].next = index;
	db->last[direction][bucket] = index;
}

static int read_signature(struct reader *r, const char *value)
{
	struct p0f_db *db = r->db;
	const char *why = "";
	int n = grow((void **)&db->records, &db->record_capacity, db->record_count, sizeof(*db->records));

	if (n < 0)
		return error_set(r->err, n, "%s: out of memory", r->path);
	if (!r->labelled)
		return wrong(r, "a signature without a label before it", value);
	if (db->record_count == RECORDS_MAX)
		return wrong(r, "too many signatures", value);
	if (p0f_record_parse(value, &db->records[db->record_count], &why) < 0)
		return wrong(r, why, value);
	db->records[db->record_count].label = (uint32_t)(db->label_count - 1);
	chain(db, (unsigned)r->section, (int32_t)db->record_count++);
	return 0;
}

static int read_section(struct reader *r, const char *line)
{
	size_t n = strlen(line);

	if (line[n - 1] != ']')
		return wrong(r, "a section ends with ]", line);
	r->section = strcmp(line, "[tcp:request]") == 0	 ? SECTION_REQUEST :
		     strcmp(line, "[tcp:response]") == 0 ? SECTION_RESPONSE :
							   SECTION_OTHER;
	r->labelled = false;
	return 0;
}

static int read_line(struct reader *r, char *line)
{
	char *value = strchr(line, '='), *key;

	if (*line == '\0' || *line == ';')
		return 0;
	if (*line == '[')
		return read_section(r, line);
	if (!value)
		return wrong(r, "neither a section nor a line with =", line);
	if (r->section == SECTION_OTHER)
		return 0;
	*value++ = '\0';
	key = trim(line);
	value = trim(value);
	if (strcmp(key, "label") == 0)
		return read_label(r, value);
	if (strcmp(key, "sig") == 0)
		return read_signature(r, value);
	return strcmp(key, "sys") == 0 ? 0 : wrong(r, "no such key", key);
}

static int read_text(struct reader *r, char *text)
{
	int n = 0;

	for (char *line; n == 0 && (line = strsep(&text, "\n"));) {
		r->line++;
		n = read_line(r, trim(line));
	}
	return n;
}

/* 1 when it was read, 0 when it is not there. */
static int read_file(struct p0f_db *db, const char *path, struct digest *digest, struct error *err)
{
	struct reader r = { .db = db, .path = path, .section = SECTION_OTHER, .err = err };
	_cleanup_free_ char *text = NULL;
	size_t size;
	int n = fs_read_file(AT_FDCWD, path, FILE_BYTES_MAX, &text, &size, err);

	if (n == -ENOENT)
		return 0;
	if (n < 0)
		return n;
	if (strlen(text) != size)
		return error_set(err, -EINVAL, "%s: a text file has no NUL bytes", path);
	digest_add(digest, text, size);
	n = read_text(&r, text);
	return n < 0 ? n : 1;
}

static void free_dbp(struct p0f_db **db)
{
	p0f_db_free(*db);
}

int p0f_db_read(const char *const *paths, struct p0f_db **out, struct error *err)
{
	_cleanup_(free_dbp) struct p0f_db *db = calloc(1, sizeof(*db));
	struct digest digest;
	char hex[17] = "";
	int files = 0;

	*out = NULL;
	if (!db)
		return error_set(err, -ENOMEM, "out of memory");
	memset(db->first, 0xff, sizeof(db->first)); /* all -1 */
	memset(db->last, 0xff, sizeof(db->last));
	digest_begin(&digest, DIGEST_SHA256);
	for (size_t i = 0; paths[i]; i++) {
		int r = read_file(db, paths[i], &digest, err);

		if (r < 0)
			return r;
		files += r;
	}
	if (files == 0)
		return error_set(err, -ENOENT, "%s: no such file: install p0f, or name another", paths[0] ? paths[0] : "");
	if (digest_end(&digest, hex, sizeof(hex) - 1) < 0)
		return error_set(err, -ENOTSUP, "libcrypto gives no SHA-256");
	(void)snprintf(db->revision, sizeof(db->revision), "sha256:%s", hex);
	*out = steal_ptr(&db);
	return 0;
}

void p0f_db_free(struct p0f_db *db)
{
	if (!db)
		return;
	free(db->records);
	free(db->labels);
	free(db);
}

const char *p0f_db_revision(const struct p0f_db *db)
{
	return db->revision;
}

size_t p0f_db_signatures(const struct p0f_db *db)
{
	return db->record_count;
}
