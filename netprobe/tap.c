/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/tap.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "netprobe/fdstore.h"
#include "netprobe/tap_internal.h"

static const char *const kind_names[] = { "auto", "tracepoint", "socket" };

const char *tap_kind_name(enum tap_kind kind)
{
	return kind_names[kind];
}

int tap_kind_parse(const char *text, enum tap_kind *out)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
		if (strcmp(text, kind_names[i]) == 0) {
			*out = (enum tap_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

enum tap_kind tap_kind(const struct tap *t)
{
	return t->kind;
}

/* ---- one interface ---- */

/* Whose packets reach the receive tracepoint under the name of the interface below: their driver hands them on without another pass
 * through it (RX_HANDLER_ANOTHER and VLANs, net/core/dev.c). */
static bool received_by_socket(const char *driver)
{
	static const char *const drivers[] = { "bonding", "team", "802.1Q VLAN Support", "macvlan", "ipvlan", "hv_netvsc",
					       "net_failover", "failover", "hsr" };

	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
		if (strcmp(driver, drivers[i]) == 0)
			return true;
	}
	return false;
}

static int interface_flags(const char name[IF_NAMESIZE], uint32_t *flags, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* the unit allows no Internet socket, and any socket will do */
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { 0 };

	memcpy(request.ifr_name, name, IF_NAMESIZE);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return error_set(err, -errno, "interface %s: its type cannot be read: %s", name, strerror(errno));
	*flags = 0;
	if (request.ifr_hwaddr.sa_family == ARPHRD_ETHER)
		*flags = TAP_IF_ETHERNET;
	if (request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK)
		*flags = TAP_IF_ETHERNET | TAP_IF_LOOPBACK;
	request.ifr_data = (void *)&info;
	if (ioctl(fd, SIOCETHTOOL, &request) == 0 && received_by_socket(info.driver))
		*flags |= TAP_IF_RECEIVED_BY_SOCKET;
	return 0;
}

/* The name of an interface's socket in the store. */
struct socket_name {
	char text[24];
};
static struct socket_name socket_name(const struct tap_watched *w)
{
	struct socket_name name;

	(void)snprintf(name.text, sizeof(name.text), "tap-%u", w->ifindex);
	return name;
}

/* The filter is on before the socket is bound: nothing is ever queued. */
static int open_socket(const struct tap *t, const struct tap_watched *w, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)w->ifindex };
	int one = 1, filter = t->filter;

	if (fd < 0)
		return error_set(err, -errno, "interface %s: no packet socket: %s", w->name, strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)) < 0)
		return error_set(err, -errno, "interface %s: the filter cannot be attached: %s", w->name, strerror(errno));
	if (t->kind == TAP_TRACEPOINT && setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0)
		return error_set(err, -errno, "interface %s: sent packets cannot be left out: %s", w->name, strerror(errno));
	if (bind(fd, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return error_set(err, -errno, "interface %s: the packet socket cannot be bound: %s", w->name, strerror(errno));
	if (t->pinned)
		fdstore_keep(socket_name(w).text, fd);
	return steal_fd(&fd);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The socket that counted while no daemon was there, with the filter of this build; or a new one. */
static int take_socket(const struct tap *t, const struct tap_watched *w, struct error *err)
{
	_cleanup_close_ int fd = fdstore_take(socket_name(w).text);
	struct sockaddr_ll at = { 0 };
	socklen_t size = sizeof(at);
	int filter = t->filter;

	if (fd >= 0 && getsockname(fd, (struct sockaddr *)&at, &size) == 0 && at.sll_family == AF_PACKET &&
	    at.sll_ifindex == (int)w->ifindex && setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)) == 0)
		return steal_fd(&fd);
	if (fd >= 0)
		fdstore_drop(socket_name(w).text);
	return open_socket(t, w, err);
}

static int place_for(const struct tap *t, uint32_t ifindex, uint32_t *place)
{
	for (uint32_t i = 0; i < TAP_INTERFACE_PROBES; i++) {
		*place = (ifindex + i) % TAP_INTERFACE_SLOTS;
		if (t->interfaces[*place].ifindex == 0)
			return 0;
	}
	return -ENOSPC;
}

/* Makes the tables of an interface, or takes the shared ones, and has the programs find them. */
static int give_tables(struct tap *t, struct tap_watched *w, struct error *err)
{
	w->fresh = t->shared_fresh >= 0 ? t->shared_fresh : tap_new_table(t, "fresh_flows");
	w->settled = t->shared_settled >= 0 ? t->shared_settled : tap_new_table(t, "settled_flows");
	if (w->fresh < 0 || w->settled < 0)
		return error_set(err, w->fresh < 0 ? w->fresh : w->settled, "interface %s: no flow table of %u entries: %s", w->name,
				 t->table_entries, strerror(w->fresh < 0 ? -w->fresh : -w->settled));
	if (bpf_map_update_elem(t->fresh_outer, &w->place, &w->fresh, BPF_ANY) < 0 ||
	    bpf_map_update_elem(t->settled_outer, &w->place, &w->settled, BPF_ANY) < 0)
		return error_set(err, -errno, "interface %s: its flow table is refused: %s", w->name, strerror(errno));
	return 0;
}

/* No program counts for it any more, and none still does. */
static void silence(struct tap *t, struct tap_watched *w)
{
	__atomic_store_n(&t->interfaces[w->place].ifindex, 0, __ATOMIC_SEQ_CST);
	if (w->socket >= 0 && t->pinned)
		fdstore_drop(socket_name(w).text);
	close_fd(&w->socket);
	/* To set an entry of an array of tables waits for programs that run. */
	(void)bpf_map_update_elem(t->fresh_outer, &w->place, &w->fresh, BPF_ANY);
}

static void drop_tables(struct tap *t, struct tap_watched *w)
{
	tap_pins_table(t, w, false);
	(void)bpf_map_delete_elem(t->fresh_outer, &w->place);
	(void)bpf_map_delete_elem(t->settled_outer, &w->place);
	if (t->shared_fresh < 0)
		close_fd(&w->fresh);
	if (t->shared_settled < 0)
		close_fd(&w->settled);
}

static int add(struct tap *t, struct tap_watched *w, struct error *err)
{
	struct tap_interface *in, *home;
	int r;

	r = interface_flags(w->name, &w->flags, err);
	if (r < 0)
		return r;
	if (place_for(t, w->ifindex, &w->place) < 0)
		return error_set(err, -ENOSPC, "interface %s: too many interfaces with indexes like its own, %u", w->name, w->ifindex);
	r = give_tables(t, w, err);
	if (r < 0) {
		drop_tables(t, w);
		return r;
	}
	tap_pins_table(t, w, true);
	in = &t->interfaces[w->place];
	memcpy(in->name, w->name, sizeof(in->name));
	home = &t->interfaces[w->ifindex % TAP_INTERFACE_SLOTS];
	in->flags = w->flags;
	in->epoch++;
	in->answered = 0;
	in->recheck = t->table_entries >= 32 ? t->table_entries / 16 : 1;
	if (home != in)
		home->probes = TAP_INTERFACE_PROBES;
	__atomic_store_n(&in->ifindex, w->ifindex, __ATOMIC_RELEASE);
	if (t->kind == TAP_SOCKET || (w->flags & TAP_IF_RECEIVED_BY_SOCKET)) {
		w->socket = open_socket(t, w, err);
		if (w->socket < 0) {
			r = w->socket;
			silence(t, w);
			drop_tables(t, w);
			return r;
		}
	}
	return 0;
}

static enum tap_answer nobody(const struct tap_flow *flow, enum tap_why why, void *userdata)
{
	(void)flow;
	(void)why;
	(void)userdata;
	return TAP_END;
}

static void remove_interface(struct tap *t, struct tap_watched *w)
{
	tap_flow_fn *fn = t->options.flow ? t->options.flow : nobody;

	silence(t, w);
	(void)tap_walk_table(t, w->fresh, w->ifindex, TAP_FLOW_REMOVED, fn, t->options.userdata);
	(void)tap_walk_table(t, w->settled, w->ifindex, TAP_FLOW_REMOVED, fn, t->options.userdata);
	drop_tables(t, w);
}

/* ---- the list ---- */

static int check_name(struct tap *t, const char *name, uint32_t *ifindex, struct error *err)
{
	if (strcmp(name, "any") == 0 || strcmp(name, "*") == 0 || *name == '\0') {
		t->account->denied++;
		return error_set(err, -EINVAL, "interface \"%s\": list the interfaces one by one", name);
	}
	*ifindex = strlen(name) < IF_NAMESIZE ? if_nametoindex(name) : 0;
	if (*ifindex == 0) {
		t->account->denied++;
		return error_set(err, -EINVAL, "interface \"%s\": there is none of this name", name);
	}
	return 0;
}

static struct tap_watched *find_watched(struct tap_watched *list, size_t n, const struct tap_watched *like)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].ifindex == like->ifindex && strcmp(list[i].name, like->name) == 0)
			return &list[i];
	}
	return NULL;
}

static int check_names(struct tap *t, const char *const *list, size_t n, struct tap_watched *wanted, size_t *n_wanted,
		       struct error *err)
{
	*n_wanted = 0;
	if (n > TAP_INTERFACES_MAX)
		return error_set(err, -E2BIG, "%zu interfaces: at most %u can be watched", n, TAP_INTERFACES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct tap_watched w = { .socket = -1, .fresh = -1, .settled = -1 };
		int r = check_name(t, list[i], &w.ifindex, err);

		if (r < 0)
			return r;
		memcpy(w.name, list[i], strlen(list[i]) + 1);
		if (!find_watched(wanted, *n_wanted, &w))
			wanted[(*n_wanted)++] = w;
	}
	return 0;
}

/* Takes over what is watched already and opens the others; what was opened is closed again when one of them fails. */
static int open_new(struct tap *t, struct tap_watched *wanted, size_t n, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct tap_watched *old = find_watched(t->watched, t->n_watched, &wanted[i]);
		int r = 0;

		if (old)
			wanted[i] = *old;
		else
			r = add(t, &wanted[i], err);
		if (r == 0)
			continue;
		while (i-- > 0) {
			if (!find_watched(t->watched, t->n_watched, &wanted[i]))
				remove_interface(t, &wanted[i]);
		}
		return r;
	}
	return 0;
}

/* Before the first interface. Without it a restart begins anew. */
static void tap_outlive(struct tap *t)
{
	int r;

	if (!t->pins.dir || t->pinned)
		return;
	r = tap_keep_maps(t);
	if (r < 0)
		log_event(LOG_LEVEL_WARNING, "flows do not outlive the daemon", "reason", strerror(-r), NULL);
	t->pinned = r == 0;
}

/* Nothing is watched: nothing runs, and nothing stays when the daemon ends. */
static void let_go(struct tap *t)
{
	if (t->pins.dir)
		pins_clear(&t->pins);
	t->pinned = false;
	(void)tap_attach(t, false, NULL);
}

int tap_set_interfaces(struct tap *t, const char *const *list, size_t n, struct error *err)
{
	struct tap_watched wanted[TAP_INTERFACES_MAX];
	size_t n_wanted;
	int r = check_names(t, list, n, wanted, &n_wanted, err);

	if (r == 0 && n_wanted > 0) {
		tap_outlive(t);
		r = tap_attach(t, true, err);
	}
	if (r == 0)
		r = open_new(t, wanted, n_wanted, err);
	for (size_t i = 0; i < t->n_watched && r == 0; i++) {
		if (!find_watched(wanted, n_wanted, &t->watched[i]))
			remove_interface(t, &t->watched[i]);
	}
	if (r == 0) {
		memcpy(t->watched, wanted, n_wanted * sizeof(wanted[0]));
		t->n_watched = n_wanted;
	}
	if (t->n_watched == 0)
		let_go(t);
	return r;
}

size_t tap_interfaces(const struct tap *t)
{
	return t->n_watched;
}

bool tap_interface(const struct tap *t, size_t i, const char **name, uint32_t *ifindex)
{
	if (i >= t->n_watched)
		return false;
	*name = t->watched[i].name;
	*ifindex = t->watched[i].ifindex;
	return true;
}

const char *tap_interface_name(const struct tap *t, uint32_t ifindex)
{
	for (size_t i = 0; i < t->n_watched; i++) {
		if (t->watched[i].ifindex == ifindex)
			return t->watched[i].name;
	}
	return NULL;
}

/* ---- all of it ---- */

static int make_buffers(struct tap *t, struct error *err)
{
	struct timespec tick;

	t->sequences = calloc((size_t)t->cpus * TAP_CACHE_ENTRIES, sizeof(*t->sequences));
	t->keys = calloc(TAP_BATCH, sizeof(*t->keys));
	t->values = calloc(TAP_BATCH, sizeof(*t->values));
	t->ending = calloc(TAP_BATCH, sizeof(*t->ending));
	if (!t->sequences || !t->keys || !t->values || !t->ending)
		return error_set(err, -ENOMEM, "out of memory");
	/* The coarse clock's resolution is the kernel's tick. */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0)
		return error_set(err, -errno, "the kernel's tick cannot be told: %s", strerror(errno));
	t->tick_ns = (uint64_t)tick.tv_sec * 1000000000u + (uint64_t)tick.tv_nsec;
	return 0;
}

/* What the daemon before us watched; an interface that is no more was taken out of its list, too. */
static void take_up(struct tap *t)
{
	for (uint32_t place = 0; place < TAP_INTERFACE_SLOTS; place++) {
		struct tap_interface *in = &t->interfaces[place];
		struct tap_watched w = { .ifindex = in->ifindex, .place = place, .flags = in->flags, .socket = -1, .fresh = t->shared_fresh,
					 .settled = t->shared_settled };
		struct error err = { .text = "" };
		int r = 0;

		if (in->ifindex == 0)
			continue;
		memcpy(w.name, in->name, sizeof(w.name) - 1);
		if (t->n_watched == TAP_INTERFACES_MAX)
			r = error_set(&err, -E2BIG, "more than %u interfaces", TAP_INTERFACES_MAX);
		else if (t->shared_fresh < 0)
			r = tap_pins_take_tables(t, place, &w.fresh, &w.settled);
		if (r == 0 && (t->kind == TAP_SOCKET || (w.flags & TAP_IF_RECEIVED_BY_SOCKET))) {
			/* An interface that is gone has no socket, but flows to be told of. */
			w.socket = take_socket(t, &w, &err);
		}
		if (r < 0) {
			log_event(LOG_LEVEL_WARNING, "flows of an interface are not taken up", "interface", w.name, "reason",
				  *err.text ? err.text : strerror(-r), NULL);
			__atomic_store_n(&in->ifindex, 0, __ATOMIC_SEQ_CST);
			tap_pins_table(t, &w, false);
			continue;
		}
		t->watched[t->n_watched++] = w;
	}
}

static int make_shared(struct tap *t, struct error *err)
{
	if (t->options.max_entries == 0)
		return 0;
	if (t->taken_up && tap_pins_take_tables(t, 0, &t->shared_fresh, &t->shared_settled) == 0)
		return 0;
	t->taken_up = t->pinned = false; /* pinned anew with the first interface */
	t->shared_fresh = tap_new_table(t, "fresh_flows");
	t->shared_settled = tap_new_table(t, "settled_flows");
	if (t->shared_fresh < 0 || t->shared_settled < 0)
		return error_set(err, -ENOMEM, "no flow table of %u entries", t->table_entries);
	return 0;
}

int tap_open(struct tap **out, const struct tap_options *options, struct error *err)
{
	struct tap *t = calloc(1, sizeof(*t));
	int r;

	*out = NULL;
	if (!t)
		return error_set(err, -ENOMEM, "out of memory");
	t->options = *options;
	t->shared_fresh = t->shared_settled = -1;
	t->pins = (struct pins){ .dir = options->pins, .prefix = "tap_" };
	r = tap_load(t, err);
	if (r == 0)
		r = make_buffers(t, err);
	if (r == 0)
		r = make_shared(t, err);
	if (r == 0)
		take_up(t);
	if (r == 0 && t->taken_up)
		r = tap_pins_read_told(t) < 0 ? error_set(err, -ENOMEM, "out of memory") : 0;
	if (r < 0) {
		tap_close(t);
		return r;
	}
	tap_set_budget(t, options->budget);
	*out = t;
	return 0;
}

void tap_close(struct tap *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_watched; i++) {
		close_fd(&t->watched[i].socket);
		if (t->shared_fresh < 0) {
			close_fd(&t->watched[i].fresh);
			close_fd(&t->watched[i].settled);
		}
	}
	tap_unload(t);
	close_fd(&t->shared_fresh);
	close_fd(&t->shared_settled);
	free(t->sequences);
	free(t->keys);
	free(t->values);
	free(t->ending);
	free(t->told);
	free(t);
}

bool tap_is_pinned(const char *pins)
{
	const struct pins p = { .dir = pins, .prefix = "tap_" };
	_cleanup_close_ int fd = pins ? pins_take_map(&p, "cache") : -ENOENT;

	return fd >= 0;
}

bool tap_taken_up(const struct tap *t)
{
	return t->taken_up;
}

uint32_t tap_max_entries(const struct tap *t)
{
	return t->options.max_entries;
}

struct tap_account *tap_account(const struct tap *t)
{
	return t->account;
}

/* An entry: key, value and the kernel's own part of it (kernel/bpf/hashtab.c, struct htab_elem, 48 bytes); a hash bucket of 16
 * bytes for each, rounded up to a power of two. */
static uint64_t table_bytes(const struct tap *t)
{
	uint64_t pairs = t->shared_fresh >= 0 ? 1 : t->n_watched, buckets = 1;

	while (buckets < t->table_entries)
		buckets *= 2;
	return pairs * 2 * (t->table_entries * (48 + sizeof(struct flow_key) + sizeof(struct flow_value)) + buckets * 16);
}

struct tap_totals tap_totals(const struct tap *t)
{
	return (struct tap_totals){
		.kernel = tap_sum(t),
		.handed_up = t->account->handed_up,
		.ended = t->account->ended,
		.present = t->present,
		.evicted = t->account->evicted,
		.denied = t->account->denied,
		.table_bytes = table_bytes(t),
	};
}
