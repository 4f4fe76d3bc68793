/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/privilege.h"

#include <errno.h>
#include <grp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/fs.h"
#include "lib/paths.h"

static const char *const wanted[] = { "cap_net_raw", "cap_bpf", "cap_perfmon" };
#define N_WANTED (sizeof(wanted) / sizeof(wanted[0]))

static void cap_freep(cap_t *c)
{
	if (*c)
		cap_free(*c);
}

caps_mask privilege_wanted(void)
{
	caps_mask mask = 0;

	for (size_t i = 0; i < N_WANTED; i++)
		mask |= (caps_mask)1 << caps_from_name(wanted[i]);
	return mask;
}

/* Permitted: the wanted ones that are there now. Effective: the same, or none. */
static int set_sets(bool effective, struct error *err)
{
	_cleanup_(cap_freep) cap_t now = cap_get_proc(), next = cap_init();

	if (!now || !next)
		return error_set(err, -errno, "cannot read the own capabilities: %s", strerror(errno));
	for (size_t i = 0; i < N_WANTED; i++) {
		cap_value_t cap = caps_from_name(wanted[i]);
		cap_flag_value_t permitted = CAP_CLEAR;

		if (cap_get_flag(now, cap, CAP_PERMITTED, &permitted) < 0 || permitted != CAP_SET)
			continue;
		if (cap_set_flag(next, CAP_PERMITTED, 1, &cap, CAP_SET) < 0 ||
		    (effective && cap_set_flag(next, CAP_EFFECTIVE, 1, &cap, CAP_SET) < 0))
			return error_set(err, -errno, "cannot build the capability sets: %s", strerror(errno));
	}
	if (cap_set_proc(next) < 0)
		return error_set(err, -errno, "cannot set the own capabilities: %s", strerror(errno));
	return 0;
}

static int drop_bounding(void)
{
	for (cap_value_t cap = 0; cap < cap_max_bits(); cap++)
		if (!(privilege_wanted() & ((caps_mask)1 << cap)) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return -errno;
	return 0;
}

static int become_service_user(struct error *err)
{
	uid_t uid;
	gid_t gid;

	if (fs_lookup_user("/", SR_USER, &uid, &gid) < 0)
		return error_set(err, -ENOENT, "started as root, but there is no user %s to become: install serviceradar-agent",
				 SR_USER);
	if (drop_bounding() < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
		return error_set(err, -errno, "cannot become the user %s: %s", SR_USER, strerror(errno));
	return 0;
}

int privilege_reduce(struct error *err)
{
	int r;

	if (geteuid() == 0) {
		r = become_service_user(err);
		if (r < 0)
			return r;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set(err, -errno, "cannot set no_new_privs: %s", strerror(errno));
	return set_sets(true, err);
}

int privilege_raise(struct error *err)
{
	return set_sets(true, err);
}

void privilege_lower(void)
{
	if (set_sets(false, NULL) < 0)
		abort();
}

/* What a daemon in steady state calls. Everything else fails with EPERM instead of killing the process: a libc that
 * tries a newer call first falls back. */
static const int allowed_calls[] = {
	SCMP_SYS(accept4), SCMP_SYS(access), SCMP_SYS(bind), SCMP_SYS(bpf), SCMP_SYS(brk), SCMP_SYS(capget), SCMP_SYS(capset),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(close), SCMP_SYS(connect), SCMP_SYS(dup), SCMP_SYS(dup3),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait),
	SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fcntl), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync),
	SCMP_SYS(futex), SCMP_SYS(getdents64), SCMP_SYS(getegid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getpeername), SCMP_SYS(getpid),
	SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(gettid),
	SCMP_SYS(getuid), SCMP_SYS(ioctl), SCMP_SYS(lseek), SCMP_SYS(madvise), SCMP_SYS(mmap), SCMP_SYS(mprotect),
	SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(newfstatat), SCMP_SYS(openat), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(prctl), SCMP_SYS(pread64), SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(restart_syscall), SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_yield), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(set_robust_list), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown), SCMP_SYS(sigaltstack), SCMP_SYS(signalfd4), SCMP_SYS(socket), SCMP_SYS(statx), SCMP_SYS(sysinfo),
	SCMP_SYS(tgkill), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(uname),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(write), SCMP_SYS(writev),
};

static void seccomp_freep(scmp_filter_ctx *c)
{
	if (*c)
		seccomp_release(*c);
}

static int filter_calls(struct error *err)
{
	_cleanup_(seccomp_freep) scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = 0;

	if (!ctx)
		return error_set(err, -ENOMEM, "cannot make the seccomp filter");
	for (size_t i = 0; i < sizeof(allowed_calls) / sizeof(allowed_calls[0]) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed_calls[i], 0);
	if (r == 0)
		r = seccomp_load(ctx);
	return r < 0 ? error_set(err, r, "cannot turn the seccomp filter on: %s", strerror(-r)) : 0;
}

int privilege_lock(struct error *err)
{
	int r;

	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return error_set(err, -errno, "cannot clear the ambient capabilities: %s", strerror(errno));
	r = set_sets(false, err);
	return r < 0 ? r : filter_calls(err);
}
