/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/fs.h"
#include "lib/paths.h"

#define LIST_MAX   64
#define STRING_MAX 1024

/* What a key's value is read as. */
enum kind { STRING, STRINGS, BOOL, U32, U64, MODE, MAPPING, DELIVERY, SUPERVISION, KIND_NATIVE, CAPS, ARTIFACTS };

struct key {
	const char *name;
	enum kind kind;
	size_t offset; /* in struct manifest */
	bool required;
	const struct key *keys; /* MAPPING */
};

#define AT(member) offsetof(struct manifest, member)

static const struct key requires_keys[] = {
	{ "base_agent", STRING, AT(requires.base_agent), false, NULL },
	{ "platforms", STRINGS, AT(requires.platforms), false, NULL },
	{ "os_capabilities", CAPS, AT(requires.os_capabilities), false, NULL },
	{ "run_as", STRING, AT(requires.run_as), false, NULL },
	{ NULL, STRING, 0, false, NULL },
};
static const struct key exec_keys[] = {
	{ "binary", STRING, AT(exec.binary), true, NULL },
	{ "install_path", STRING, AT(exec.install_path), false, NULL },
	{ "args", STRINGS, AT(exec.args), false, NULL },
	{ "notify", BOOL, AT(exec.notify), false, NULL },
	{ "start_timeout_s", U32, AT(exec.start_timeout_s), false, NULL },
	{ "settle_ms", U32, AT(exec.settle_ms), false, NULL },
	{ NULL, STRING, 0, false, NULL },
};
static const struct key schedule_keys[] = {
	{ "on_calendar", STRING, AT(schedule.on_calendar), true, NULL },
	{ "randomized_delay_s", U32, AT(schedule.randomized_delay_s), false, NULL },
	{ NULL, STRING, 0, false, NULL },
};
static const struct key resources_keys[] = {
	{ "cpu_quota_percent", U32, AT(resources.cpu_quota_percent), false, NULL },
	{ "memory_max_bytes", U64, AT(resources.memory_max_bytes), false, NULL },
	{ "tasks_max", U32, AT(resources.tasks_max), false, NULL },
	{ NULL, STRING, 0, false, NULL },
};
static const struct key socket_keys[] = {
	{ "path", STRING, AT(socket.path), true, NULL },
	{ "mode", MODE, AT(socket.mode), true, NULL },
	{ NULL, STRING, 0, false, NULL },
};
static const struct key manifest_keys[] = {
	{ "id", STRING, AT(id), true, NULL },
	{ "name", STRING, AT(name), true, NULL },
	{ "version", STRING, AT(version), true, NULL },
	{ "description", STRING, AT(description), false, NULL },
	{ "kind", KIND_NATIVE, 0, true, NULL },
	{ "delivery", DELIVERY, AT(delivery), true, NULL },
	{ "supervision", SUPERVISION, AT(supervision), true, NULL },
	{ "language", STRING, AT(language), false, NULL },
	{ "capabilities", STRINGS, AT(capabilities), true, NULL },
	{ "requires", MAPPING, 0, true, requires_keys },
	{ "artifacts", ARTIFACTS, 0, false, NULL },
	{ "exec", MAPPING, 0, true, exec_keys },
	{ "state_dirs", STRINGS, AT(state_dirs), false, NULL },
	{ "runtime_dirs", STRINGS, AT(runtime_dirs), false, NULL },
	{ "config_schema", STRING, AT(config_schema), true, NULL },
	{ "schedule", MAPPING, 0, false, schedule_keys },
	{ "resources", MAPPING, 0, false, resources_keys },
	{ "socket", MAPPING, 0, false, socket_keys },
	{ "spool_dir", STRING, AT(spool_dir), false, NULL },
	{ NULL, STRING, 0, false, NULL },
};

static const struct {
	const char *key;
	const char *const *values;
} closed_sets[] = {
	{ "language", (const char *const[]){ "c", "go", "rust", NULL } },
};

struct reader {
	yaml_document_t *document;
	const char *where;
	struct manifest *m;
	struct error *err;
};

static const char *const delivery_names[] = { "compiled-in", "pushed-artifact", "os-package" };
static const char *const supervision_names[] = { "config-toggle", "agent-sidecar", "systemd-service", "systemd-timer",
						 "ephemeral-helper" };

const char *delivery_name(enum delivery d)
{
	return delivery_names[d];
}

const char *supervision_name(enum supervision s)
{
	return supervision_names[s];
}

static int lookup(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], s) == 0)
			return (int)i;
	return -EINVAL;
}

int delivery_parse(const char *s, enum delivery *out)
{
	int r = lookup(delivery_names, 3, s);

	if (r >= 0)
		*out = (enum delivery)r;
	return r < 0 ? r : 0;
}

static size_t line_of(const yaml_node_t *node)
{
	return node->start_mark.line + 1;
}

static int bad(const struct reader *r, const yaml_node_t *node, const char *key, const char *what)
{
	return error_set(r->err, -EINVAL, "%s:%zu: %s: %s", r->where, line_of(node), key, what);
}

/* A plain or quoted scalar without control characters; NULL (and the error set) else. */
static const char *scalar(const struct reader *r, const yaml_node_t *node, const char *key)
{
	const char *s = (const char *)node->data.scalar.value;

	if (node->type != YAML_SCALAR_NODE) {
		(void)bad(r, node, key, "a single value is needed here");
		return NULL;
	}
	if (strlen(s) != node->data.scalar.length || node->data.scalar.length > STRING_MAX) {
		(void)bad(r, node, key, "too long, or a NUL byte in it");
		return NULL;
	}
	for (const char *p = s; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			(void)bad(r, node, key, "control characters are not allowed");
			return NULL;
		}
	}
	return s;
}

static int read_string(const struct reader *r, const yaml_node_t *node, const char *key, char **out)
{
	const char *s = scalar(r, node, key);

	if (!s)
		return -EINVAL;
	if (!*s)
		return bad(r, node, key, "must not be empty");
	for (size_t i = 0; i < sizeof(closed_sets) / sizeof(closed_sets[0]); i++) {
		const char *const *v = closed_sets[i].values;

		if (strcmp(closed_sets[i].key, key) != 0)
			continue;
		while (*v && strcmp(*v, s) != 0)
			v++;
		if (!*v)
			return error_set(r->err, -EINVAL, "%s:%zu: %s: \"%s\" is not known", r->where, line_of(node), key, s);
	}
	*out = strdup(s);
	return *out ? 0 : -ENOMEM;
}

static int read_strings(const struct reader *r, const yaml_node_t *node, const char *key, struct strings *out)
{
	const yaml_node_item_t *item;

	if (node->type != YAML_SEQUENCE_NODE)
		return bad(r, node, key, "a list is needed here");
	if (node->data.sequence.items.top - node->data.sequence.items.start > LIST_MAX)
		return bad(r, node, key, "more than 64 entries");
	out->v = calloc(LIST_MAX, sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	for (item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		int e = read_string(r, yaml_document_get_node(r->document, *item), key, &out->v[out->n]);

		if (e < 0)
			return e;
		out->n++;
	}
	return 0;
}

static int read_number(const struct reader *r, const yaml_node_t *node, const char *key, uint64_t max, uint64_t *out)
{
	const char *s = scalar(r, node, key);
	char *end;

	if (!s)
		return -EINVAL;
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (s[0] < '0' || s[0] > '9' || *end || errno || *out > max)
		return error_set(r->err, -EINVAL, "%s:%zu: %s: \"%s\" is not a whole number from 0 to %llu", r->where,
				 line_of(node), key, s, (unsigned long long)max);
	return 0;
}

static int read_mode(const struct reader *r, const yaml_node_t *node, const char *key, unsigned *out)
{
	const char *s = scalar(r, node, key);
	char *end;
	unsigned long v;

	if (!s)
		return -EINVAL;
	v = strtoul(s, &end, 8);
	if (s[0] < '0' || s[0] > '7' || *end || v > 0777)
		return error_set(r->err, -EINVAL, "%s:%zu: %s: \"%s\" is not an octal file mode", r->where, line_of(node), key,
				 s);
	*out = (unsigned)v;
	return 0;
}

static int read_caps(const struct reader *r, const yaml_node_t *node, const char *key, caps_mask *out)
{
	struct strings names = { 0 };
	int e = read_strings(r, node, key, &names);

	for (size_t i = 0; e == 0 && i < names.n; i++) {
		int bit = caps_from_name(names.v[i]);

		if (bit < 0 || !(caps_allowlist() & ((caps_mask)1 << bit)))
			e = error_set(r->err, -EINVAL, "%s:%zu: %s: \"%s\" is not a capability that an add-on may have", r->where,
				      line_of(node), key, names.v[i]);
		else
			*out |= (caps_mask)1 << bit;
	}
	for (size_t i = 0; i < names.n; i++)
		free(names.v[i]);
	free(names.v);
	return e;
}

static int read_named(const struct reader *r, const yaml_node_t *node, const char *key, const char *const *names, size_t n,
		      unsigned *out)
{
	const char *s = scalar(r, node, key);
	int i = s ? lookup(names, n, s) : -EINVAL;

	if (!s)
		return -EINVAL;
	if (i < 0)
		return error_set(r->err, -EINVAL, "%s:%zu: %s: \"%s\" is not known", r->where, line_of(node), key, s);
	*out = (unsigned)i;
	return 0;
}

static int read_mapping(const struct reader *r, const yaml_node_t *node, const char *parent, const struct key *keys);

/* artifacts[] is for whoever publishes bundles; only its shape is checked. */
static int read_artifacts(const struct reader *r, const yaml_node_t *node, const char *key)
{
	static const char *const known[] = { "os", "arch", "object_key", "sha256", "signature_ref" };
	const yaml_node_item_t *item;

	if (node->type != YAML_SEQUENCE_NODE)
		return bad(r, node, key, "a list is needed here");
	for (item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		const yaml_node_t *entry = yaml_document_get_node(r->document, *item);
		const yaml_node_pair_t *pair;

		if (entry->type != YAML_MAPPING_NODE)
			return bad(r, entry, key, "a list of mappings is needed here");
		for (pair = entry->data.mapping.pairs.start; pair < entry->data.mapping.pairs.top; pair++) {
			const yaml_node_t *name = yaml_document_get_node(r->document, pair->key);
			const char *s = scalar(r, name, key);

			if (!s || !scalar(r, yaml_document_get_node(r->document, pair->value), key))
				return -EINVAL;
			if (lookup(known, 5, s) < 0)
				return error_set(r->err, -EINVAL, "%s:%zu: artifacts.%s: unknown key", r->where, line_of(name), s);
		}
	}
	return 0;
}

static int read_value(const struct reader *r, const yaml_node_t *node, const struct key *key)
{
	char *at = (char *)r->m + key->offset;
	unsigned named = 0;
	uint64_t n = 0;
	const char *s;
	int e;

	switch (key->kind) {
	case STRING:
		return read_string(r, node, key->name, (char **)(void *)at);
	case STRINGS:
		return read_strings(r, node, key->name, (struct strings *)(void *)at);
	case CAPS:
		return read_caps(r, node, key->name, (caps_mask *)(void *)at);
	case MODE:
		return read_mode(r, node, key->name, (unsigned *)(void *)at);
	case MAPPING:
		return read_mapping(r, node, key->name, key->keys);
	case ARTIFACTS:
		return read_artifacts(r, node, key->name);
	case BOOL:
		s = scalar(r, node, key->name);
		if (!s)
			return -EINVAL;
		if (strcmp(s, "true") != 0 && strcmp(s, "false") != 0)
			return bad(r, node, key->name, "must be true or false");
		*(bool *)at = s[0] == 't';
		return 0;
	case U32:
		e = read_number(r, node, key->name, UINT32_MAX, &n);
		*(uint32_t *)(void *)at = (uint32_t)n;
		return e;
	case U64:
		e = read_number(r, node, key->name, INT64_MAX, &n);
		*(uint64_t *)(void *)at = n;
		return e;
	case DELIVERY:
		e = read_named(r, node, key->name, delivery_names, 3, &named);
		r->m->delivery = (enum delivery)named;
		return e;
	case SUPERVISION:
		e = read_named(r, node, key->name, supervision_names, 5, &named);
		r->m->supervision = (enum supervision)named;
		return e;
	case KIND_NATIVE:
		return read_named(r, node, key->name, (const char *const[]){ "native" }, 1, &named);
	}
	return -EINVAL;
}

static int read_mapping(const struct reader *r, const yaml_node_t *node, const char *parent, const struct key *keys)
{
	const char *prefix = *parent ? parent : "", *dot = *parent ? "." : "";
	const yaml_node_pair_t *pair;
	uint32_t seen = 0;

	if (node->type != YAML_MAPPING_NODE)
		return bad(r, node, *parent ? parent : "manifest", "a mapping is needed here");
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_document_get_node(r->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(r->document, pair->value);
		const char *s = scalar(r, name, *parent ? parent : "key");
		size_t i = 0;
		int e;

		if (!s)
			return -EINVAL;
		while (keys[i].name && strcmp(keys[i].name, s) != 0)
			i++;
		if (!keys[i].name)
			return error_set(r->err, -EINVAL, "%s:%zu: %s%s%s: unknown key", r->where, line_of(name), prefix, dot, s);
		if (seen & (1u << i))
			return error_set(r->err, -EINVAL, "%s:%zu: %s%s%s: the key is there twice", r->where, line_of(name),
					 prefix, dot, s);
		seen |= 1u << i;
		e = read_value(r, value, &keys[i]);
		if (e < 0)
			return e == -ENOMEM ? error_set(r->err, e, "%s: out of memory", r->where) : e;
	}
	for (size_t i = 0; keys[i].name; i++)
		if (keys[i].required && !(seen & (1u << i)))
			return error_set(r->err, -EINVAL, "%s:%zu: %s%s%s: required, but missing", r->where, line_of(node), prefix,
					 dot, keys[i].name);
	return 0;
}

bool addon_id_valid(const char *id)
{
	if (!id || !*id || strlen(id) > 64 || *id == '_' || *id == '-')
		return false;
	return id[strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* One path segment, as a bundle may hold. */
static bool file_name_valid(const char *s)
{
	return *s && *s != '.' && strlen(s) <= 128 &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

/* Segments of file_name_valid; `absolute` wants a leading slash. */
static bool path_valid(const char *s, bool absolute)
{
	if (absolute && *s++ != '/')
		return false;
	for (;;) {
		char segment[129];
		size_t n = strcspn(s, "/");

		if (n >= sizeof(segment))
			return false;
		memcpy(segment, s, n);
		segment[n] = '\0';
		if (!file_name_valid(segment))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool user_name_valid(const char *s)
{
	return *s >= 'a' && *s <= 'z' && strlen(s) <= 31 && s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

static bool base_agent_valid(const char *s)
{
	return semver_valid(strncmp(s, ">=", 2) == 0 ? s + 2 : s);
}

static bool paths_valid(const struct strings *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		if (!path_valid(paths->v[i], false))
			return false;
	return true;
}

/* The line of a key such as "exec.binary", or of its parent when it is not there. */
static size_t line_of_key(const struct reader *r, const char *key)
{
	const yaml_node_t *node = yaml_document_get_root_node(r->document);
	size_t line = line_of(node);

	while (*key && node && node->type == YAML_MAPPING_NODE) {
		size_t n = strcspn(key, ".");
		const yaml_node_t *below = NULL;

		for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
			const yaml_node_t *name = yaml_document_get_node(r->document, p->key);

			if (name->type == YAML_SCALAR_NODE && name->data.scalar.length == n &&
			    memcmp(name->data.scalar.value, key, n) == 0) {
				line = line_of(name);
				below = yaml_document_get_node(r->document, p->value);
			}
		}
		node = below;
		key += n + (key[n] == '.');
	}
	return line;
}

static int wrong(const struct reader *r, const char *key, const char *value, const char *what)
{
	if (!value)
		return error_set(r->err, -EINVAL, "%s:%zu: %s: %s", r->where, line_of_key(r, key), key, what);
	return error_set(r->err, -EINVAL, "%s:%zu: %s: \"%s\" %s", r->where, line_of_key(r, key), key, value, what);
}

/* What is looked at when all keys are there. */
static int check(const struct reader *r)
{
	const struct manifest *m = r->m;

	if (!addon_id_valid(m->id))
		return wrong(r, "id", m->id, "is not ^[a-z0-9][a-z0-9_-]*$");
	if (!semver_valid(m->version))
		return wrong(r, "version", m->version, "is not a semantic version");
	if (!file_name_valid(m->exec.binary))
		return wrong(r, "exec.binary", m->exec.binary, "is not a plain file name");
	if (!file_name_valid(m->config_schema))
		return wrong(r, "config_schema", m->config_schema, "is not a plain file name");
	if (m->requires.base_agent && !base_agent_valid(m->requires.base_agent))
		return wrong(r, "requires.base_agent", m->requires.base_agent, "is not a version such as >=1.4.0");
	if (m->requires.run_as && !user_name_valid(m->requires.run_as))
		return wrong(r, "requires.run_as", m->requires.run_as, "is not a user name");
	if (m->exec.start_timeout_s < 1 || m->exec.start_timeout_s > 600)
		return wrong(r, "exec.start_timeout_s", NULL, "is not between 1 and 600");
	if (m->exec.settle_ms > 60000)
		return wrong(r, "exec.settle_ms", NULL, "is more than 60000");
	if (m->exec.install_path && !path_valid(m->exec.install_path, true))
		return wrong(r, "exec.install_path", m->exec.install_path, "is not an absolute path");
	if (m->socket.path && (!path_valid(m->socket.path, true) || strncmp(m->socket.path, "/run/", 5) != 0))
		return wrong(r, "socket.path", m->socket.path, "is not a path below /run");
	if (m->spool_dir && (strncmp(m->spool_dir, SR_SPOOL "/", strlen(SR_SPOOL "/")) != 0 ||
			     strcmp(m->spool_dir + strlen(SR_SPOOL "/"), m->id) != 0))
		return wrong(r, "spool_dir", m->spool_dir, "is not " SR_SPOOL "/ and the id: the agent takes files from nowhere else");
	if (m->spool_dir && m->supervision != SUPERVISION_SYSTEMD_TIMER)
		return wrong(r, "spool_dir", NULL, "only for supervision systemd-timer");
	if (!paths_valid(&m->state_dirs))
		return wrong(r, "state_dirs", NULL, "only relative paths of plain names");
	if (!paths_valid(&m->runtime_dirs))
		return wrong(r, "runtime_dirs", NULL, "only relative paths of plain names");
	if (m->supervision == SUPERVISION_SYSTEMD_TIMER && !m->schedule.on_calendar)
		return wrong(r, "schedule", NULL, "required for supervision systemd-timer");
	if (m->supervision != SUPERVISION_SYSTEMD_TIMER && m->schedule.on_calendar)
		return wrong(r, "schedule", NULL, "only for supervision systemd-timer");
	return 0;
}

/* Anchors, aliases and tags have no use here, and an alias is how a small YAML text becomes a large one: refused while
 * scanning, before a document is built. */
static int refuse_tricks(const char *text, size_t size, const char *where, struct error *err)
{
	yaml_parser_t parser;
	bool end = false;
	int r = 0, depth = 0;

	if (!yaml_parser_initialize(&parser))
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (!end && r == 0) {
		yaml_event_t event;
		size_t line;
		bool trick = false;

		if (!yaml_parser_parse(&parser, &event)) {
			r = error_set(err, -EINVAL, "%s:%zu: not YAML: %s", where, parser.problem_mark.line + 1,
				      parser.problem ? parser.problem : "cannot be read");
			break;
		}
		line = event.start_mark.line + 1;
		if (event.type == YAML_ALIAS_EVENT)
			trick = true;
		else if (event.type == YAML_SCALAR_EVENT)
			trick = event.data.scalar.anchor || event.data.scalar.tag;
		else if (event.type == YAML_SEQUENCE_START_EVENT)
			trick = event.data.sequence_start.anchor || event.data.sequence_start.tag;
		else if (event.type == YAML_MAPPING_START_EVENT)
			trick = event.data.mapping_start.anchor || event.data.mapping_start.tag;
		if (event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT)
			depth++;
		if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT)
			depth--;
		if (trick)
			r = error_set(err, -EINVAL, "%s:%zu: anchors, aliases and tags are not allowed", where, line);
		else if (depth > 8)
			r = error_set(err, -EINVAL, "%s:%zu: nested too deep", where, line);
		end = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return r;
}

static int parse_document(yaml_parser_t *parser, const char *where, struct manifest *m, struct error *err)
{
	yaml_document_t document, extra;
	struct reader r = { .document = &document, .where = where, .m = m, .err = err };
	const yaml_node_t *root;
	int e;

	if (!yaml_parser_load(parser, &document))
		return error_set(err, -EINVAL, "%s:%zu: not YAML: %s", where, parser->problem_mark.line + 1,
				 parser->problem ? parser->problem : "cannot be read");
	root = yaml_document_get_root_node(&document);
	e = root ? read_mapping(&r, root, "", manifest_keys) : error_set(err, -EINVAL, "%s: empty", where);
	if (e == 0)
		e = check(&r);
	yaml_document_delete(&document);
	if (e < 0)
		return e;
	if (!yaml_parser_load(parser, &extra))
		return error_set(err, -EINVAL, "%s: not YAML after the first document", where);
	root = yaml_document_get_root_node(&extra);
	yaml_document_delete(&extra);
	return root ? error_set(err, -EINVAL, "%s: more than one document", where) : 0;
}

int manifest_parse(const char *text, size_t size, const char *where, struct manifest *out, struct error *err)
{
	_cleanup_manifest_ struct manifest m = { .exec = { .start_timeout_s = 30, .settle_ms = 1000 } };
	yaml_parser_t parser;
	int r;

	*out = (struct manifest){ 0 };
	if (size > MANIFEST_MAX_BYTES)
		return error_set(err, -EFBIG, "%s: larger than %u bytes", where, MANIFEST_MAX_BYTES);
	r = refuse_tricks(text, size, where, err);
	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&parser))
		return error_set(err, -ENOMEM, "%s: out of memory", where);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	r = parse_document(&parser, where, &m, err);
	yaml_parser_delete(&parser);
	if (r < 0)
		return r;
	*out = m;
	m = (struct manifest){ 0 };
	return 0;
}

int manifest_read(int dirfd, const char *shown, struct manifest *out, struct error *err)
{
	_cleanup_free_ char *where = NULL, *text = NULL;
	_cleanup_close_ int fd = -1;
	size_t size;
	int r;

	*out = (struct manifest){ 0 };
	if (asprintf(&where, "%s/addon.yaml", shown) < 0) {
		where = NULL;
		return error_set(err, -ENOMEM, "%s: out of memory", shown);
	}
	fd = fs_open_file(dirfd, "addon.yaml", where, err);
	if (fd < 0)
		return fd;
	r = fs_read_fd(fd, where, MANIFEST_MAX_BYTES, &text, &size, err);
	return r < 0 ? r : manifest_parse(text, size, where, out, err);
}

static void strings_free(struct strings *s)
{
	for (size_t i = 0; s->v && i < s->n; i++)
		free(s->v[i]);
	free(s->v);
}

static void free_keys(struct manifest *m, const struct key *keys)
{
	for (; keys->name; keys++) {
		char *at = (char *)m + keys->offset;

		if (keys->kind == STRING)
			free(*(char **)(void *)at);
		else if (keys->kind == STRINGS)
			strings_free((struct strings *)(void *)at);
		else if (keys->kind == MAPPING)
			free_keys(m, keys->keys);
	}
}

void manifest_free(struct manifest *m)
{
	free_keys(m, manifest_keys);
	*m = (struct manifest){ 0 };
}

const char *platform_name(void)
{
#if defined(__x86_64__)
	return "linux/amd64";
#elif defined(__aarch64__)
	return "linux/arm64";
#else
	return "linux/unknown";
#endif
}

static enum unsupported check_platform(const struct manifest *m, struct error *err)
{
	const char *here = platform_name(), *slash = strchr(here, '/');
	bool same_os = false;

	for (size_t i = 0; i < m->requires.platforms.n; i++) {
		if (strcmp(m->requires.platforms.v[i], here) == 0)
			return SUPPORTED;
		same_os = same_os || strncmp(m->requires.platforms.v[i], here, (size_t)(slash - here) + 1) == 0;
	}
	if (m->requires.platforms.n == 0)
		return SUPPORTED;
	(void)error_set(err, -ENOTSUP, "%s %s does not run on %s (platforms: %s%s)", m->id, m->version, here, m->requires.platforms.v[0],
			m->requires.platforms.n > 1 ? ", …" : "");
	return same_os ? UNSUPPORTED_ARCH : UNSUPPORTED_PLATFORM;
}

const char *manifest_user(const struct manifest *m)
{
	return m->requires.run_as ? m->requires.run_as : SR_USER;
}

int manifest_lookup_user(const struct manifest *m, const char *root, uid_t *uid, gid_t *gid, struct error *err)
{
	const char *user = manifest_user(m);

	if (fs_lookup_user(root, user, uid, gid) < 0)
		return error_set(err, -EPERM, "%s: run_as: there is no user %s: systemd-sysusers makes it", m->id, user);
	return 0;
}

bool manifest_declares(const struct manifest *m, const char *capability)
{
	return m->requires.os_capabilities >> caps_from_name(capability) & 1;
}

bool manifest_has_unit(const struct manifest *m)
{
	return m->supervision == SUPERVISION_SYSTEMD_SERVICE || m->supervision == SUPERVISION_SYSTEMD_TIMER;
}

enum unsupported manifest_unsupported(const struct manifest *m, bool toggle, struct error *err)
{
	const char *least = m->requires.base_agent;
	enum unsupported u = check_platform(m, err);

	if (u != SUPPORTED)
		return u;
	least += least ? strspn(least, ">= ") : 0;
	if (least && semver_compare(SR_VERSION, least) < 0) {
		(void)error_set(err, -ENOTSUP, "%s %s needs serviceradar-agent %s or later; this is %s", m->id, m->version, least, SR_VERSION);
		return UNSUPPORTED_AGENT;
	}
	if (m->supervision == SUPERVISION_CONFIG_TOGGLE && toggle)
		return SUPPORTED;
	if (!manifest_has_unit(m) && m->supervision != SUPERVISION_EPHEMERAL_HELPER) {
		(void)error_set(err, -ENOTSUP, "%s: supervision %s is not supported by this version", m->id, supervision_name(m->supervision));
		return UNSUPPORTED_OTHER;
	}
	return SUPPORTED;
}

const char *unsupported_name(enum unsupported u)
{
	static const char *const names[] = { "", "arch_unsupported", "platform_unsupported", "base_agent_too_old", "unsupported" };

	return names[u];
}
