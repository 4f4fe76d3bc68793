/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/caps.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/xattr.h>

#include "lib/cleanup.h"
#include "lib/fs.h"

/* Numbers of include/uapi/linux/capability.h: libcap of an older distribution may not know the newest names. */
static const struct {
	const char *name;
	int bit;
} allowed[] = {
	{ "cap_dac_read_search", 2 },
	{ "cap_net_bind_service", 10 },
	{ "cap_net_admin", 12 },
	{ "cap_net_raw", 13 },
	{ "cap_sys_ptrace", 19 },
	{ "cap_sys_resource", 24 },
	{ "cap_perfmon", 38 },
	{ "cap_bpf", 39 },
};
#define N_ALLOWED (sizeof(allowed) / sizeof(allowed[0]))

int caps_from_name(const char *name)
{
	cap_value_t bit;
	char *exact;
	int r;

	for (size_t i = 0; i < N_ALLOWED; i++)
		if (strcasecmp(name, allowed[i].name) == 0)
			return allowed[i].bit;
	if (strncasecmp(name, "cap_", 4) != 0 || cap_from_name(name, &bit) < 0)
		return -EINVAL;
	exact = cap_to_name(bit); /* cap_from_name() is content with a name at the beginning */
	r = exact && strcasecmp(name, exact) == 0 ? bit : -EINVAL;
	(void)cap_free(exact);
	return r;
}

caps_mask caps_allowlist(void)
{
	caps_mask mask = 0;

	for (size_t i = 0; i < N_ALLOWED; i++)
		mask |= (caps_mask)1 << allowed[i].bit;
	return mask;
}

static const char *bit_name(int bit, char *buf, size_t size)
{
	char *name;

	for (size_t i = 0; i < N_ALLOWED; i++)
		if (allowed[i].bit == bit)
			return allowed[i].name;
	name = cap_to_name(bit);
	(void)snprintf(buf, size, "%s", name ? name : "?");
	cap_free(name);
	return buf;
}

const char *caps_format(caps_mask mask, char *buf, size_t size)
{
	size_t used = 0;

	(void)snprintf(buf, size, "none");
	for (int bit = 0; bit < 64; bit++) {
		char name[32];
		int n;

		if (!(mask & ((caps_mask)1 << bit)))
			continue;
		n = snprintf(buf + used, size - used, "%s%s", used ? "," : "", bit_name(bit, name, sizeof(name)));
		if (n < 0 || (size_t)n >= size - used)
			break;
		used += (size_t)n;
	}
	return buf;
}

/* "Key:\tVALUE" of /proc/PID/status; the key must begin a line, which a process cannot forge: its name is escaped. */
static int status_field(const char *text, const char *key, int base, uint64_t *out)
{
	size_t n = strlen(key);
	const char *p = text;

	while (p) {
		if (strncmp(p, key, n) == 0 && p[n] == ':') {
			char *end;

			*out = strtoull(p + n + 1, &end, base);
			return end == p + n + 1 ? -EINVAL : 0;
		}
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return -ENOENT;
}

int caps_of_process(pid_t pid, struct caps_process *out, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	uint64_t nnp = 0, seccomp = 0, uid = 0;
	char path[64];
	int r;

	*out = (struct caps_process){ 0 };
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	r = fs_read_file(AT_FDCWD, path, 65536, &text, NULL, err);
	if (r < 0)
		return r;
	if (status_field(text, "CapInh", 16, &out->inheritable) < 0 ||
	    status_field(text, "CapPrm", 16, &out->permitted) < 0 ||
	    status_field(text, "CapEff", 16, &out->effective) < 0 ||
	    status_field(text, "CapBnd", 16, &out->bounding) < 0 ||
	    status_field(text, "CapAmb", 16, &out->ambient) < 0)
		return error_set(err, -EINVAL, "%s: no capability sets in it", path);
	(void)status_field(text, "NoNewPrivs", 10, &nnp);
	(void)status_field(text, "Seccomp", 10, &seccomp);
	out->no_new_privs = nnp == 1;
	out->seccomp = (int)seccomp;
	/* "Uid:" lists real, effective, saved and file system uid. */
	{
		const char *p = strstr(text, "\nUid:");
		unsigned int real, effective;

		if (!p || sscanf(p, "\nUid: %u %u", &real, &effective) != 2)
			return error_set(err, -EINVAL, "%s: no uid in it", path);
		uid = effective;
	}
	out->uid = (uid_t)uid;
	return 0;
}

static void cap_freep(cap_t *c)
{
	if (*c)
		cap_free(*c);
}

static int masks_of(cap_t caps, caps_mask *mask, bool *effective)
{
	*mask = 0;
	*effective = false;
	if (!caps)
		return errno == ENODATA ? 0 : -errno;
	for (int bit = 0; bit <= cap_max_bits() && bit < 64; bit++) {
		cap_flag_value_t on;

		if (cap_get_flag(caps, bit, CAP_PERMITTED, &on) == 0 && on == CAP_SET)
			*mask |= (caps_mask)1 << bit;
		if (cap_get_flag(caps, bit, CAP_EFFECTIVE, &on) == 0 && on == CAP_SET)
			*effective = true;
	}
	return 0;
}

int caps_get_file(int fd, caps_mask *mask, bool *effective, struct error *err)
{
	_cleanup_(cap_freep) cap_t caps = cap_get_fd(fd);
	int r = masks_of(caps, mask, effective);

	return r < 0 ? error_set(err, r, "cannot read file capabilities: %s", strerror(-r)) : 0;
}

int caps_get_file_at(int dirfd, const char *name, caps_mask *mask)
{
	_cleanup_close_ int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_(cap_freep) cap_t caps = NULL;
	bool effective;
	char path[64];

	*mask = 0;
	if (fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	caps = cap_get_file(path);
	return masks_of(caps, mask, &effective);
}

static int set_caps(int fd, caps_mask mask)
{
	_cleanup_(cap_freep) cap_t caps = cap_init();

	if (!caps)
		return -ENOMEM;
	for (cap_value_t bit = 0; bit < 64; bit++) {
		if (!(mask & ((caps_mask)1 << bit)))
			continue;
		if (cap_set_flag(caps, CAP_PERMITTED, 1, &bit, CAP_SET) < 0 ||
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &bit, CAP_SET) < 0)
			return -errno;
	}
	return cap_set_fd(fd, caps) < 0 ? -errno : 0;
}

int caps_set_file(int fd, caps_mask mask, struct error *err)
{
	caps_mask now;
	bool effective;
	char want[256], got[256];
	int r;

	if (mask == 0)
		r = fremovexattr(fd, "security.capability") < 0 && errno != ENODATA ? -errno : 0;
	else
		r = set_caps(fd, mask);
	if (r < 0)
		return error_set(err, r, "cannot set file capabilities %s: %s", caps_format(mask, want, sizeof(want)),
				 strerror(-r));
	r = caps_get_file(fd, &now, &effective, err);
	if (r < 0)
		return r;
	if (now != mask || effective != (mask != 0))
		return error_set(err, -EIO, "file capabilities read back as %s, not %s",
				 caps_format(now, got, sizeof(got)), caps_format(mask, want, sizeof(want)));
	return 0;
}
