/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/container.h"

#include <stdbool.h>
#include <string.h>

#define HEX_ID 64

/* What container engines put before an id, in a scope's name or before a colon. */
static const struct {
	const char *prefix, *runtime;
} prefixes[] = {
	{ "docker-", "docker" },           { "cri-containerd-", "containerd" }, { "cri-containerd:", "containerd" },
	{ "containerd-", "containerd" },   { "nerdctl-", "containerd" },        { "crio-", "cri-o" },
	{ "crio:", "cri-o" },              { "libpod-payload-", "podman" },     { "libpod-", "podman" },
	{ "libpod:", "podman" },           { "docker:", "docker" },             { "nerdctl:", "containerd" },
};

/* The directory that a bare id lies in, or above it. */
static const struct {
	const char *parent, *runtime;
} parents[] = {
	{ "docker", "docker" },      { "containerd", "containerd" },    { "default", "containerd" }, { "k8s.io", "containerd" },
	{ "moby", "docker" },        { "libpod_parent", "podman" },     { "libpod", "podman" },      { "crio", "cri-o" },
	{ "buildkit", "containerd" },
};

struct part {
	const char *text;
	size_t length;
};

static bool is_hex(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
			return false;
	return true;
}

static bool starts(struct part p, const char *prefix)
{
	size_t n = strlen(prefix);

	return p.length >= n && memcmp(p.text, prefix, n) == 0;
}

static bool ends(struct part p, const char *suffix)
{
	size_t n = strlen(suffix);

	return p.length >= n && memcmp(p.text + p.length - n, suffix, n) == 0;
}

static bool equals(struct part p, const char *s)
{
	return p.length == strlen(s) && memcmp(p.text, s, p.length) == 0;
}

static void copy(char *out, size_t size, const char *s, size_t n)
{
	if (n >= size)
		n = size - 1;
	memcpy(out, s, n);
	out[n] = '\0';
}

/* systemd.unit(5): \x2d is a dash that is no separator. */
static void copy_unescaped(char *out, size_t size, const char *s, size_t n)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used + 1 < size; i++) {
		if (s[i] == '\\' && i + 3 < n && s[i + 1] == 'x' && is_hex(s + i + 2, 2)) {
			unsigned hi = (unsigned char)s[i + 2], lo = (unsigned char)s[i + 3];

			out[used++] = (char)((hi <= '9' ? hi - '0' : hi - 'a' + 10) << 4 | (lo <= '9' ? lo - '0' : lo - 'a' + 10));
			i += 3;
		} else {
			out[used++] = s[i];
		}
	}
	out[used] = '\0';
}

/* A part with an id of 64 digits: "<id>", "<prefix><id>.scope", "<anything>:<engine>:<id>". True when it is one. */
static bool take_hex(struct part p, struct part before, struct container_identity *out)
{
	const char *id;
	struct part head;

	if (ends(p, ".scope"))
		p.length -= strlen(".scope");
	else if (ends(p, ".service"))
		p.length -= strlen(".service");
	if (p.length < HEX_ID)
		return false;
	id = p.text + p.length - HEX_ID;
	if (!is_hex(id, HEX_ID))
		return false;
	head = (struct part){ p.text, p.length - HEX_ID };
	if (head.length && head.text[head.length - 1] != '-' && head.text[head.length - 1] != ':')
		return false; /* a longer word that happens to end like one */
	/* conmon is the engine's own supervisor, and runs outside. */
	if (ends(head, "conmon-"))
		return false;
	copy(out->id, sizeof(out->id), id, HEX_ID);
	out->runtime = "unknown";
	for (size_t i = 0; head.length && i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (ends(head, prefixes[i].prefix)) {
			out->runtime = prefixes[i].runtime;
			return true;
		}
	for (size_t i = 0; !head.length && i < sizeof(parents) / sizeof(parents[0]); i++)
		if (equals(before, parents[i].parent))
			out->runtime = parents[i].runtime;
	return true;
}

/* LXC and LXD, systemd-nspawn: by name. */
static bool take_name(struct part p, struct part before, struct container_identity *out)
{
	if (starts(p, "lxc.payload.")) {
		copy(out->id, sizeof(out->id), p.text + 12, p.length - 12);
		out->runtime = "lxc";
	} else if (equals(before, "lxc.payload") || (equals(before, "lxc") && !starts(p, "lxc."))) {
		copy(out->id, sizeof(out->id), p.text, p.length);
		out->runtime = "lxc";
	} else if (starts(p, "systemd-nspawn@") && ends(p, ".service")) {
		copy_unescaped(out->id, sizeof(out->id), p.text + 15, p.length - 15 - 8);
		out->runtime = "systemd-nspawn";
	} else if (starts(p, "machine-") && ends(p, ".scope") && !starts(p, "machine-qemu")) {
		copy_unescaped(out->id, sizeof(out->id), p.text + 8, p.length - 8 - 6);
		out->runtime = "systemd-nspawn";
	} else {
		return false;
	}
	return true;
}

/* "…pod<uid>" at the end of a part, ".slice" aside; the systemd driver writes the dashes of the uid as underscores. */
static void take_pod(struct part p, struct container_identity *out)
{
	const char *colon = memchr(p.text, ':', p.length);

	if (colon)
		p.length = (size_t)(colon - p.text);
	if (ends(p, ".slice"))
		p.length -= 6;
	for (size_t n = 36; n >= 32; n -= 4) { /* static pods have 32 digits without dashes */
		const char *uid = p.text + p.length - n;

		if (p.length < n + 3 || memcmp(uid - 3, "pod", 3) != 0)
			continue;
		for (size_t i = 0; i < n; i++) {
			char c = uid[i] == '_' ? '-' : uid[i];

			if (c != '-' && !is_hex(&c, 1))
				return;
			out->pod_uid[i] = c;
		}
		out->pod_uid[n] = '\0';
		return;
	}
}

void container_parse(const char *path, struct container_identity *out)
{
	struct part before = { "", 0 };
	bool kubernetes = false, named = false, hex = false;

	*out = (struct container_identity){ .runtime = "" };
	for (const char *at = path; *at;) {
		struct part p = { at, strcspn(at, "/") };

		at += p.length + (at[p.length] == '/');
		if (!p.length)
			continue;
		if (starts(p, "kubepods") || starts(p, "kubelet")) {
			kubernetes = true;
			out->pod_uid[0] = '\0';
		}
		if (kubernetes)
			take_pod(p, out);
		if (take_hex(p, before, out))
			hex = true;
		else if (!hex && take_name(p, before, out))
			named = true;
		if (ends(p, ".service") || ends(p, ".scope"))
			copy(out->unit, sizeof(out->unit), p.text, p.length);
		before = p;
	}
	if (hex && kubernetes && strcmp(out->runtime, "unknown") == 0)
		out->runtime = "kubernetes";
	if (hex || named)
		out->unit[0] = '\0';
	if (!kubernetes || !hex)
		out->pod_uid[0] = '\0';
}
