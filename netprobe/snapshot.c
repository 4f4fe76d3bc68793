/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/snapshot.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "netprobe/events.h"

typedef Serviceradar__Agent__Netprobe__V1__ProcessSnapshotEntry Entry;

int snapshot_add(struct snapshot *s, const struct listener_record *r, struct process *process, struct cgroup *cgroup)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 64;
		struct snapshot_entry *more = realloc(s->entries, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->entries = more;
		s->room = room;
	}
	s->entries[s->count++] = (struct snapshot_entry){
		.listener = *r, .holders = 1, .process = process_ref(process), .cgroup = cgroup_ref(cgroup)
	};
	return 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_socket(const void *x, const void *y)
{
	const struct listener_record *a = &((const struct snapshot_entry *)x)->listener,
				     *b = &((const struct snapshot_entry *)y)->listener;
	int r = compare(a->cookie, b->cookie);

	return r ? r : compare(a->pid, b->pid);
}

/* In the order that the message has: nothing in it that another run of the same programs would number anew comes first. */
static int by_address(const void *x, const void *y)
{
	const struct listener_record *a = &((const struct snapshot_entry *)x)->listener,
				     *b = &((const struct snapshot_entry *)y)->listener;
	int r = compare(a->protocol, b->protocol);

	if (!r)
		r = compare(a->port, b->port);
	if (!r)
		r = compare(a->family, b->family);
	if (!r)
		r = memcmp(a->local, b->local, sizeof(a->local));
	if (!r)
		r = compare(a->netns, b->netns);
	return r ? r : compare(a->pid, b->pid);
}

static void drop(struct snapshot_entry *e)
{
	process_unref(e->process);
	cgroup_unref(e->cgroup);
}

/* Makes one of entries that belong together; `same` says which. */
static void merge(struct snapshot *s, bool (*same)(const struct snapshot_entry *, const struct snapshot_entry *), bool count_holders)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct snapshot_entry *before = kept ? &s->entries[kept - 1] : NULL;

		if (before && same(before, &s->entries[i])) {
			if (count_holders && s->entries[i].listener.pid != s->entries[i - 1].listener.pid)
				before->holders++;
			drop(&s->entries[i]);
		} else {
			s->entries[kept++] = s->entries[i];
		}
	}
	s->count = kept;
}

static bool same_socket(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	return a->listener.cookie == b->listener.cookie;
}

static bool same_listener(const struct snapshot_entry *a, const struct snapshot_entry *b)
{
	return by_address(a, b) == 0;
}

static void to_entry(const struct snapshot_entry *e, Entry *out, char text[46 + 6 + 3 * EVENT_COMM_BYTES + 1],
		     Serviceradar__Agent__Netprobe__V1__WorkloadIdentity *workload)
{
	char *address = text, *protocol = text + 46, *comm = text + 52;

	serviceradar__agent__netprobe__v1__process_snapshot_entry__init(out);
	events_address(e->listener.family, e->listener.local, address);
	events_comm(e->listener.comm, comm);
	out->local_ip = address;
	out->local_port = e->listener.port;
	out->transport_protocol = (char *)(uintptr_t)events_protocol(e->listener.protocol, protocol);
	out->pid = out->tgid = e->listener.pid;
	out->uid = e->listener.uid;
	out->gid = e->listener.gid;
	out->comm = comm;
	if (e->process && e->process->cmdline) {
		out->n_redacted_cmdline = 1;
		out->redacted_cmdline = &e->process->cmdline;
	}
	if (e->process && e->process->executable)
		out->executable = e->process->executable;
	if (events_workload(e->cgroup, workload)) {
		out->container_id = workload->container_id;
		out->workload_identity = workload;
	} else if (e->cgroup) {
		out->systemd_unit = e->cgroup->container.unit;
	}
	out->network_namespace = e->listener.netns;
	out->socket_holders = e->holders;
}

#define ENTRY_TEXT (46 + 6 + 3 * EVENT_COMM_BYTES + 1)

static int fingerprint(struct snapshot *s)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	int ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL);

	for (size_t i = 0; i < s->count && ok; i++) {
		Serviceradar__Agent__Netprobe__V1__WorkloadIdentity workload;
		uint8_t bytes[8192];
		char text[ENTRY_TEXT];
		size_t size;
		Entry e;

		to_entry(&s->entries[i], &e, text, &workload);
		size = protobuf_c_message_get_packed_size(&e.base);
		if (size > sizeof(bytes))
			size = 0; /* cannot be: every text in it is bounded */
		else
			protobuf_c_message_pack(&e.base, bytes);
		ok = EVP_DigestUpdate(md, &size, sizeof(size)) && EVP_DigestUpdate(md, bytes, size);
	}
	ok = ok && EVP_DigestFinal_ex(md, digest, &n) && n == 32;
	EVP_MD_CTX_free(md);
	if (!ok)
		return -EIO;
	for (unsigned int i = 0; i < n; i++)
		(void)snprintf(s->fingerprint + (size_t)i * 2, 3, "%02x", digest[i]);
	return 0;
}

int snapshot_finish(struct snapshot *s)
{
	if (s->count > 0)
		qsort(s->entries, s->count, sizeof(*s->entries), by_socket);
	merge(s, same_socket, true);
	if (s->count > 0)
		qsort(s->entries, s->count, sizeof(*s->entries), by_address);
	merge(s, same_listener, false);
	while (s->count > SNAPSHOT_MAX) {
		drop(&s->entries[--s->count]);
		s->omitted++;
	}
	return fingerprint(s);
}

/* What the message needs beside the snapshot, in one block. */
struct block {
	Entry entry;
	Serviceradar__Agent__Netprobe__V1__WorkloadIdentity workload;
	char text[ENTRY_TEXT];
};

int snapshot_message(const struct snapshot *s, int64_t observed_ns, ProcessSnapshot *out, void **memory)
{
	struct block *blocks = calloc(s->count + 1, sizeof(*blocks) + sizeof(Entry *));
	Entry **pointers;

	*memory = blocks;
	if (!blocks)
		return -ENOMEM;
	pointers = (Entry **)(blocks + s->count);
	serviceradar__agent__netprobe__v1__process_snapshot__init(out);
	for (size_t i = 0; i < s->count; i++) {
		to_entry(&s->entries[i], &blocks[i].entry, blocks[i].text, &blocks[i].workload);
		pointers[i] = &blocks[i].entry;
	}
	out->fingerprint = (char *)(uintptr_t)s->fingerprint;
	out->observed_at_unix_nano = observed_ns;
	out->n_entries = s->count;
	out->entries = pointers;
	out->entries_omitted = s->omitted > UINT32_MAX ? UINT32_MAX : (uint32_t)s->omitted;
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->count; i++)
		drop(&s->entries[i]);
	free(s->entries);
	*s = (struct snapshot){ 0 };
}
