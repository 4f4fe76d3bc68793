/* SPDX-License-Identifier: Apache-2.0 */
/* syscalls: counts the system calls of a command and all its children, kills them all at the N-th, or makes it fail once.
 *
 * A parent waits until the child that it has forked is gone, so that a repeated run has the same N-th call; one that must talk
 * to its child goes on after HOLD_MS without a call. Needs Linux 5.3 (PTRACE_GET_SYSCALL_INFO, ptrace(2)). */
#include <elf.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define MAX_TRACEES 64
#define HOLD_MS     1000
#define OPTIONS                                                                                                              \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
	 PTRACE_O_TRACECLONE)

enum mode { COUNT, LIST, KILL, KILL_AFTER, FAIL };

static const struct mode_name {
	const char *name;
	enum mode mode;
	int arguments; /* before "--" */
} modes[] = {
	{ "count", COUNT, 0 },	     { "list", LIST, 0 },     { "kill", KILL, 1 },
	{ "kill-after", KILL_AFTER, 1 }, { "fail", FAIL, 2 },
};

static const struct errno_name {
	const char *name;
	int value;
} errors[] = {
	{ "EIO", EIO },	      { "ENOSPC", ENOSPC }, { "EINTR", EINTR }, { "EDQUOT", EDQUOT }, { "EROFS", EROFS },
	{ "ENOMEM", ENOMEM }, { "EMFILE", EMFILE },
};

/* What a full or broken disk, a read-only mount or a signal can make fail. Not close, which a program cannot answer, nor mmap
 * and its like, whose failure is the dynamic loader's. */
static const char *const can_fail[] = {
	"open",	      "openat",	   "openat2",	"read",	       "pread64",   "readv",	   "write",	"pwrite64",  "writev",
	"fsync",      "fdatasync", "sync_file_range", "syncfs", "ftruncate", "fallocate", "rename",	"renameat",  "renameat2",
	"mkdir",      "mkdirat",   "rmdir",	"unlink",      "unlinkat",  "symlink",	   "symlinkat", "link",	     "linkat",
	"chmod",      "fchmod",	   "fchmodat",	"fchmodat2",   "chown",	    "fchown",	   "fchownat",	"setxattr",  "fsetxattr",
	"getxattr",   "fgetxattr", "removexattr", "fremovexattr", "readlink", "readlinkat", "getdents64", "stat",   "fstat",
	"newfstatat", "statx",	   "statfs",	"fstatfs",     "utimensat", "copy_file_range", "sendfile", "flock", "connect",
	"sendmsg",    "recvmsg",   "sendto",	"recvfrom",
};

struct tracee {
	pid_t pid;
	pid_t waits_for; /* the child before whose end it does not go on; 0: none */
	bool fresh;	 /* has not had the stop that every new tracee begins with */
};

struct trace {
	enum mode mode;
	unsigned long at;
	const struct errno_name *error;
	struct tracee tracees[MAX_TRACEES];
	size_t n;
	pid_t command;
	bool counting;	/* the command's own execve is over */
	pid_t pending;	/* is within the N-th call */
	bool sensible;	/* which is one that can fail */
	bool killed;
	unsigned long calls;
	int status; /* of the command */
	char name[40];
};

/* The kernel's header and the C library's cannot both be included, and libraries differ in the name of the info structure. */
static long trace_call(int request, pid_t pid, unsigned long addr, void *data)
{
	return syscall(SYS_ptrace, (long)request, (long)pid, addr, data);
}

static const struct tracee *find(const struct trace *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->tracees[i].pid == pid)
			return &t->tracees[i];
	return NULL;
}

static struct tracee *find_or_add(struct trace *t, pid_t pid)
{
	const struct tracee *known = find(t, pid);

	if (known)
		return &t->tracees[known - t->tracees];
	if (t->n == MAX_TRACEES)
		return NULL;
	t->tracees[t->n] = (struct tracee){ .pid = pid, .fresh = true };
	return &t->tracees[t->n++];
}

static void go_on(pid_t pid, int sig)
{
	(void)trace_call(PTRACE_SYSCALL, pid, 0, (void *)(uintptr_t)sig);
}

/* The end of `child`, or of the patience with all children when it is 0. */
static void release(struct trace *t, pid_t child)
{
	for (size_t i = 0; i < t->n; i++) {
		struct tracee *p = &t->tracees[i];

		if (p->waits_for && (!child || p->waits_for == child)) {
			p->waits_for = 0;
			go_on(p->pid, 0);
		}
	}
}

static void forget(struct trace *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++) {
		if (t->tracees[i].pid == pid) {
			t->tracees[i] = t->tracees[--t->n];
			break;
		}
	}
	release(t, pid);
}

static void name_of(unsigned int arch, unsigned long long nr, char *out, size_t size)
{
	_cleanup_free_ char *name = seccomp_syscall_resolve_num_arch(arch, (int)nr);

	if (name)
		(void)snprintf(out, size, "%s", name);
	else
		(void)snprintf(out, size, "call-%llu", nr);
}

static bool sensible(const char *name)
{
	for (size_t i = 0; i < sizeof(can_fail) / sizeof(can_fail[0]); i++)
		if (strcmp(can_fail[i], name) == 0)
			return true;
	return false;
}

/* At a call's entry: no call is made. */
static int skip_call(pid_t pid)
{
#ifdef __aarch64__
	int nr = -1;
	struct iovec io = { &nr, sizeof(nr) };

	return (int)trace_call(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &io);
#else
	struct user_regs_struct regs;
	struct iovec io = { &regs, sizeof(regs) };

	if (trace_call(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) < 0)
		return -1;
	regs.orig_rax = ~0ULL;
	return (int)trace_call(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
#endif
}

/* At a call's exit. */
static int set_error(pid_t pid, int error)
{
	struct user_regs_struct regs;
	struct iovec io = { &regs, sizeof(regs) };

	if (trace_call(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) < 0)
		return -1;
#ifdef __aarch64__
	regs.regs[0] = (unsigned long long)-(long long)error;
#else
	regs.rax = (unsigned long long)-(long long)error;
#endif
	return (int)trace_call(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io);
}

static void kill_all(struct trace *t)
{
	t->killed = true;
	for (size_t i = 0; i < t->n; i++)
		(void)kill(t->tracees[i].pid, SIGKILL);
}

static int entry(struct trace *t, pid_t pid, const struct ptrace_syscall_info *info)
{
	char name[40];

	if (!t->counting)
		return 0;
	t->calls++;
	if (t->mode != LIST && t->calls != t->at)
		return 0;
	name_of(info->arch, info->entry.nr, name, sizeof(name));
	if (t->mode == LIST) {
		printf("%lu %s %s\n", t->calls, name, sensible(name) ? "can-fail" : "cannot-fail");
		return 0;
	}
	memcpy(t->name, name, sizeof(t->name));
	if (t->mode == KILL) {
		kill_all(t); /* a call whose entry is killed is not made: ptrace_report_syscall() of the kernel */
		return 0;
	}
	t->pending = pid;
	t->sensible = sensible(name);
	return t->mode == FAIL && t->sensible ? skip_call(pid) : 0;
}

static int leave(struct trace *t, pid_t pid)
{
	if (t->pending != pid)
		return 0;
	t->pending = 0;
	if (t->mode == KILL_AFTER)
		kill_all(t);
	return t->mode == FAIL && t->sensible ? set_error(pid, t->error->value) : 0;
}

static int syscall_stop(struct trace *t, pid_t pid)
{
	struct ptrace_syscall_info info;

	if (trace_call(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) < 0)
		return errno == ESRCH ? 0 : -1;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		return entry(t, pid, &info);
	return info.op == PTRACE_SYSCALL_INFO_EXIT ? leave(t, pid) : 0;
}

/* Whether it may go on. */
static bool event_stop(struct trace *t, struct tracee *p, int event)
{
	unsigned long child = 0;

	if (event == PTRACE_EVENT_EXEC && p->pid == t->command)
		t->counting = true;
	if ((event != PTRACE_EVENT_FORK && event != PTRACE_EVENT_VFORK) || trace_call(PTRACE_GETEVENTMSG, p->pid, 0, &child) < 0)
		return true;
	p->waits_for = (pid_t)child;
	return !find_or_add(t, (pid_t)child);
}

static int stopped(struct trace *t, pid_t pid, int status)
{
	struct tracee *p = find_or_add(t, pid);
	int sig = WSTOPSIG(status), r = 0;
	bool on = true;

	if (!p || t->killed)
		return kill(pid, SIGKILL) < 0 && errno != ESRCH ? -1 : 0;
	if (sig == (SIGTRAP | 0x80)) {
		r = syscall_stop(t, pid);
		sig = 0;
	} else if (status >> 16) {
		on = event_stop(t, p, status >> 16);
		sig = 0;
	} else if (p->fresh && sig == SIGSTOP) {
		sig = 0;
	}
	p->fresh = false;
	if (on && !t->killed)
		go_on(pid, sig);
	return r;
}

/* The next stop or end of a tracee; 0 when none is left. */
static pid_t next(struct trace *t, int *status)
{
	const struct timespec patience = { .tv_sec = HOLD_MS / 1000, .tv_nsec = HOLD_MS % 1000 * 1000000L };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	for (;;) {
		pid_t pid = waitpid(-1, status, __WALL | WNOHANG);

		if (pid > 0)
			return pid;
		if (pid < 0 && errno != EINTR)
			return 0;
		if (sigtimedwait(&set, NULL, &patience) < 0 && errno == EAGAIN)
			release(t, 0);
	}
}

static int follow(struct trace *t)
{
	int status, r = 0;
	pid_t pid;

	while ((pid = next(t, &status)) > 0) {
		if (WIFSTOPPED(status)) {
			if (stopped(t, pid, status) < 0 && !t->killed)
				r = -1;
			continue;
		}
		if (pid == t->command)
			t->status = status;
		forget(t, pid);
	}
	return r;
}

static void start(char **argv)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (personality(ADDR_NO_RANDOMIZE) < 0 || trace_call(PTRACE_TRACEME, 0, 0, NULL) < 0 || raise(SIGSTOP) != 0)
		_exit(126);
	(void)execvp(argv[0], argv);
	fprintf(stderr, "syscalls: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int run(struct trace *t, char **argv)
{
	sigset_t set;
	int status;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL); /* for sigtimedwait */
	t->command = fork();
	if (t->command == 0)
		start(argv);
	if (t->command < 0 || waitpid(t->command, &status, __WALL) < 0 || !WIFSTOPPED(status) ||
	    trace_call(PTRACE_SETOPTIONS, t->command, 0, (void *)(uintptr_t)OPTIONS) < 0) {
		fprintf(stderr, "syscalls: cannot trace: %s\n", strerror(errno));
		return -1;
	}
	(void)find_or_add(t, t->command);
	t->tracees[0].fresh = false;
	go_on(t->command, 0);
	if (follow(t) < 0) {
		fprintf(stderr, "syscalls: cannot change a call of %s: %s\n", argv[0], strerror(errno));
		return -1;
	}
	return t->counting ? 0 : -1;
}

/* One line, the last one: what was done, and how the command ended. */
static void report(const struct trace *t)
{
	if (t->killed) {
		printf("killed %lu %s\n", t->at, t->name);
		return;
	}
	if (t->mode == COUNT || t->mode == LIST || t->calls < t->at)
		printf("%s %lu", t->mode == COUNT || t->mode == LIST ? "calls" : "ended", t->calls);
	else
		printf("%s %lu %s %s", t->sensible ? "failed" : "kept", t->at, t->name, t->error ? t->error->name : "");
	if (WIFEXITED(t->status))
		printf(" exit %d\n", WEXITSTATUS(t->status));
	else
		printf(" signal %d\n", WTERMSIG(t->status));
}

static int usage(void)
{
	fputs("Usage: syscalls count|list -- COMMAND...\n"
	      "       syscalls kill|kill-after N -- COMMAND...\n"
	      "       syscalls fail N ERRNO -- COMMAND...\n"
	      "The last line says what was done and how COMMAND ended: \"calls N exit S\", \"killed N CALL\",\n"
	      "\"failed N CALL ERRNO exit S\"; \"kept N CALL ERRNO exit S\" for a call that cannot sensibly fail, and\n"
	      "\"ended M exit S\" when there were only M calls. Exit status: 0, or 1 when it could not be traced.\n",
	      stderr);
	return 1;
}

static bool read_arguments(struct trace *t, int n, char **argv)
{
	char *end;

	if (n == 0)
		return true;
	t->at = strtoul(argv[0], &end, 10);
	if (!*argv[0] || *end || t->at == 0)
		return false;
	for (size_t i = 0; n == 2 && i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(errors[i].name, argv[1]) == 0)
			t->error = &errors[i];
	return n < 2 || t->error;
}

int main(int argc, char **argv)
{
	struct trace t = { .status = -1 };
	const struct mode_name *m = NULL;

	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(modes[i].name, argv[1]) == 0)
			m = &modes[i];
	if (!m || argc < m->arguments + 4 || strcmp(argv[m->arguments + 2], "--") != 0)
		return usage();
	t.mode = m->mode;
	if (!read_arguments(&t, m->arguments, argv + 2))
		return usage();
	if (run(&t, argv + m->arguments + 3) < 0)
		return 1;
	report(&t);
	return 0;
}
