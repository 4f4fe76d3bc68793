/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/process.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS (sizeof(((struct process_table *)0)->buckets) / sizeof(struct process *))

static struct process **bucket_of(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	uint64_t h = (start_ns ^ ((uint64_t)pid << 32)) * 0x9e3779b97f4a7c15ull;

	return &t->buckets[(h >> 40) % BUCKETS];
}

static void list_remove(struct process_table *t, struct process *p)
{
	*(p->older ? &p->older->newer : &t->oldest[p->ended]) = p->newer;
	*(p->newer ? &p->newer->older : &t->newest[p->ended]) = p->older;
	p->older = p->newer = NULL;
}

static void list_add(struct process_table *t, struct process *p)
{
	p->older = t->newest[p->ended];
	p->newer = NULL;
	*(p->older ? &p->older->newer : &t->oldest[p->ended]) = p;
	t->newest[p->ended] = p;
}

struct process *process_ref(struct process *p)
{
	if (p)
		p->refs++;
	return p;
}

void process_unref(struct process *p)
{
	if (!p || --p->refs > 0)
		return;
	free(p->executable);
	free(p->cmdline);
	free(p);
}

static void forget(struct process_table *t, struct process *p)
{
	struct process **at = bucket_of(t, p->pid, p->start_ns);

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	list_remove(t, p);
	t->count--;
	p->known = 0;
	process_unref(p);
}

static struct process *lookup(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	for (struct process *p = *bucket_of(t, pid, start_ns); p; p = p->next)
		if (p->pid == pid && p->start_ns == start_ns)
			return p;
	return NULL;
}

struct process *process_find(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	struct process *p = lookup(t, pid, start_ns);

	if (p && !p->newer)
		return p; /* the newest already */
	if (p) {
		list_remove(t, p);
		list_add(t, p);
	}
	return p;
}

static struct process *add(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	struct process *before = lookup(t, pid, start_ns), *p = calloc(1, sizeof(*p)), **at;

	if (!p)
		return NULL;
	if (before)
		forget(t, before); /* it called exec: events that refer to it keep what was right for them */
	while (t->count >= PROCESSES_MAX) {
		forget(t, t->oldest[1] ? t->oldest[1] : t->oldest[0]);
		t->evicted++;
	}
	p->refs = 1;
	p->pid = pid;
	p->start_ns = start_ns;
	p->known = 1;
	at = bucket_of(t, pid, start_ns);
	p->next = *at;
	*at = p;
	list_add(t, p);
	t->count++;
	return p;
}

/* Length of the UTF-8 sequence (RFC 3629) at s, of which n bytes are there; 0 when it is none, or a control character. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : (s[0] >= 0xc2 && s[0] < 0xe0 ? 2 : ((s[0] & 0xf0) == 0xe0 ? 3 : (s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : 0)));

	if (length == 0 || length > n || s[0] < 0x20 || s[0] == 0x7f)
		return 0;
	for (size_t i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

/* Copies whole characters of s into room bytes; returns how many bytes. */
static size_t copy_utf8(char *out, size_t room, const char *s)
{
	size_t n = strlen(s), used = 0;

	for (size_t i = 0; i < n;) {
		size_t length = utf8_sequence((const unsigned char *)s + i, n - i), put = length ? length : 3;

		if (used + put > room)
			break;
		memcpy(out + used, length ? s + i : "\xef\xbf\xbd", put);
		used += put;
		i += length ? length : 1;
	}
	return used;
}

void process_redact(char out[CMDLINE_BYTES + 1], const char *argv0, uint32_t argc, int capped)
{
	char suffix[48] = "";
	size_t n, rest = 0;

	if (argc > 1)
		rest = (size_t)snprintf(suffix, sizeof(suffix), " [redacted %u%s arg(s)]", argc - 1, capped ? "+" : "");
	n = copy_utf8(out, CMDLINE_BYTES - rest, argv0);
	memcpy(out + n, suffix, rest);
	out[n + rest] = '\0';
}

/* What is read after the exec may be a title that the process wrote over its arguments, with some of them in it: only its first
 * word is sure to be none ("sshd: /usr/sbin/sshd -p 2200 [listener]"). */
static void first_word(char *argv0)
{
	size_t n = strcspn(argv0, " ");

	if (argv0[n] && n > 1 && argv0[n - 1] == ':')
		n--;
	argv0[n] = '\0';
}

static int set_cmdline(struct process *p, const char *argv0, uint32_t argc, bool capped)
{
	char text[CMDLINE_BYTES + 1];

	process_redact(text, argv0, argc, capped);
	p->argc = argc;
	p->cmdline = *text ? strdup(text) : NULL;
	return *text && !p->cmdline ? -ENOMEM : 0;
}

int process_note(struct process_table *t, const struct process_record *r)
{
	char argv0[PROCESS_ARG_BYTES + 1], path[PROCESS_PATH_BYTES + 1], safe[3 * PROCESS_PATH_BYTES + 1];
	const struct process *parent = lookup(t, r->parent_pid, r->parent_start_ns);
	bool capped = r->flags & PROCESS_ARGC_CAPPED, ending = r->flags & PROCESS_ENDING;
	struct process *p;
	uint32_t argc = r->argc;

	if (ending && lookup(t, r->pid, r->start_ns))
		return 0;
	p = add(t, r->pid, r->start_ns);
	if (!p)
		return -ENOMEM;
	if (ending)
		process_exited(t, r->pid, r->start_ns);
	memcpy(argv0, r->argv0, PROCESS_ARG_BYTES);
	memcpy(path, r->executable, PROCESS_PATH_BYTES);
	argv0[PROCESS_ARG_BYTES] = path[PROCESS_PATH_BYTES] = '\0';
	if (!*path)
		first_word(argv0);
	safe[copy_utf8(safe, sizeof(safe) - 1, path)] = '\0';
	if (*safe) {
		p->executable = strdup(safe);
	} else if (parent && parent->executable) { /* forked: its parent's program and arguments */
		p->executable = strdup(parent->executable);
		if (capped && parent->argc >= argc) {
			argc = parent->argc;
			capped = false;
		}
	}
	return set_cmdline(p, argv0, argc, capped);
}

int process_note_cmdline(struct process_table *t, uint32_t pid, uint64_t start_ns, const char *cmdline, size_t size)
{
	struct process *p = add(t, pid, start_ns);
	char argv0[PROCESS_ARG_BYTES + 1];
	uint32_t n = 0, argc = 0;
	size_t length = strnlen(cmdline, size);

	if (!p)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++) { /* NULs at the end are what a process left that wrote its own title there */
		if (cmdline[i])
			argc = n + 1;
		else
			n++;
	}
	if (length > PROCESS_ARG_BYTES)
		length = PROCESS_ARG_BYTES;
	memcpy(argv0, cmdline, length);
	argv0[length] = '\0';
	first_word(argv0);
	return set_cmdline(p, argv0, argc, false);
}

void process_exited(struct process_table *t, uint32_t pid, uint64_t start_ns)
{
	struct process *p = lookup(t, pid, start_ns);

	if (!p || p->ended)
		return;
	list_remove(t, p);
	p->ended = 1;
	list_add(t, p);
}

void process_table_free(struct process_table *t)
{
	for (int ended = 0; ended < 2; ended++)
		while (t->oldest[ended])
			forget(t, t->oldest[ended]);
}
