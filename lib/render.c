/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/render.h"

#include <stdio.h>
#include <string.h>

#include "lib/paths.h"

/* systemd.service(5), "Command lines", and systemd.unit(5), "Specifiers": quotes group, backslashes escape, "%" and "$"
 * are doubled. */
static void put_argument(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', f);
		if (*s == '%' || *s == '$')
			fputc(*s, f);
		fputc(*s, f);
	}
	fputc('"', f);
}

/* A description may hold anything printable, but no specifier, and no backslash at its end: that joins the next line. */
static void put_text(FILE *f, const char *s)
{
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '\\')
		n--;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%')
			fputc('%', f);
		fputc(s[i], f);
	}
}

static void put_caps(FILE *f, caps_mask mask)
{
	char text[512];

	caps_format(mask, text, sizeof(text));
	for (char *p = text; *p; p++)
		*p = *p == ',' ? ' ' : (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	if (!mask)
		*text = '\0';
	fprintf(f, "AmbientCapabilities=%s\nCapabilityBoundingSet=%s\nNoNewPrivileges=yes\n", text, text);
}

static void put_dirs(FILE *f, const char *key, const struct strings *dirs)
{
	if (dirs->n == 0)
		return;
	fprintf(f, "%s=", key);
	for (size_t i = 0; i < dirs->n; i++)
		fprintf(f, "%s%s", i ? " " : "", dirs->v[i]);
	fputc('\n', f);
}

static void put_limits(FILE *f, const struct manifest *m)
{
	if (m->resources.cpu_quota_percent)
		fprintf(f, "CPUQuota=%u%%\n", m->resources.cpu_quota_percent);
	if (m->resources.memory_max_bytes)
		fprintf(f, "MemoryMax=%llu\n", (unsigned long long)m->resources.memory_max_bytes);
	if (m->resources.tasks_max)
		fprintf(f, "TasksMax=%u\n", m->resources.tasks_max);
}

/* What holds for every add-on. Those that watch packets and load programs get these calls and address families back by
 * the capabilities that they declare. */
static void put_hardening(FILE *f, const struct manifest *m)
{
	bool bpf = manifest_declares(m, "cap_bpf"), watches = bpf || manifest_declares(m, "cap_net_raw");

	fprintf(f, "RestrictAddressFamilies=AF_UNIX%s\n", watches ? " AF_NETLINK AF_PACKET" : "");
	fputs("IPAddressDeny=any\n"
	      "ProtectSystem=strict\n"
	      "ProtectHome=yes\n"
	      "PrivateTmp=yes\n"
	      "PrivateDevices=yes\n"
	      "DevicePolicy=closed\n"
	      "ProtectClock=yes\n"
	      "ProtectControlGroups=yes\n"
	      "ProtectHostname=yes\n"
	      "ProtectKernelLogs=yes\n"
	      "ProtectKernelModules=yes\n"
	      "ProtectKernelTunables=yes\n"
	      "LockPersonality=yes\n"
	      "MemoryDenyWriteExecute=yes\n"
	      "RemoveIPC=yes\n"
	      "RestrictNamespaces=yes\n"
	      "RestrictRealtime=yes\n"
	      "RestrictSUIDSGID=yes\n"
	      "KeyringMode=private\n",
	      f);
	fprintf(f, "UMask=%s\n", m->spool_dir ? "0027" : "0077"); /* what is spooled, the agent's group may read */
	fputs("SystemCallArchitectures=native\n"
	      "SystemCallFilter=@system-service\n"
	      "SystemCallFilter=~@privileged @resources\n",
	      f);
	if (bpf)
		fputs("SystemCallFilter=bpf perf_event_open\n", f);
	if (m->requires.os_capabilities) /* a daemon that gives capabilities up itself */
		fputs("SystemCallFilter=capset\n", f);
	fputs("SystemCallErrorNumber=EPERM\n", f);
}

static void put_head(FILE *f, const struct manifest *m, const char *what)
{
	fputs(RENDER_MARK " Do not edit it:\n# systemctl edit makes a drop-in that stays.\n[Unit]\n", f);
	fputs("Description=ServiceRadar add-on ", f);
	put_text(f, m->name);
	fprintf(f, "%s\nDocumentation=man:serviceradar-%s(8)\n", what, m->id);
}

static void put_unit_section(FILE *f, const struct manifest *m)
{
	put_head(f, m, "");
	fputs("After=network.target serviceradar-recover.service\n", f);
	if (m->socket.path)
		fprintf(f, "Requires=" SR_UNIT_PREFIX "%s.socket\nAfter=" SR_UNIT_PREFIX "%s.socket\n", m->id, m->id);
	fprintf(f, "ConditionPathExists=" SR_ADDONS "/%s/current/%s\n", m->id, m->exec.binary);
	if (m->supervision == SUPERVISION_SYSTEMD_SERVICE)
		fputs("StartLimitIntervalSec=60\nStartLimitBurst=20\n", f);
	fputc('\n', f);
}

/* A daemon is started again when it ends; what a timer starts runs once and ends. */
static void put_service_type(FILE *f, const struct manifest *m)
{
	if (m->supervision == SUPERVISION_SYSTEMD_TIMER)
		fputs("[Service]\nType=oneshot\n", f);
	else if (m->exec.notify)
		fputs("[Service]\nType=notify\nNotifyAccess=main\nWatchdogSec=30\n", f);
	else
		fputs("[Service]\nType=exec\n", f);
}

/* What is left in a spool is of the agent's group, which makes it readable for the agent and no more. */
static void put_identity(FILE *f, const struct manifest *m)
{
	const char *user = manifest_user(m);

	fprintf(f, "\nUser=%s\nGroup=%s\n", user, m->spool_dir ? SR_USER : user);
	if (m->spool_dir && strcmp(user, SR_USER) != 0)
		fprintf(f, "SupplementaryGroups=%s\n", user);
	fputs("Slice=serviceradar.slice\n", f);
}

static void put_service(FILE *f, const struct manifest *m)
{
	put_unit_section(f, m);
	put_service_type(f, m);
	fprintf(f, "ExecStart=" SR_ADDONS "/%s/current/%s", m->id, m->exec.binary);
	for (size_t i = 0; i < m->exec.args.n; i++) {
		fputc(' ', f);
		put_argument(f, m->exec.args.v[i]);
	}
	put_identity(f, m);
	if (m->supervision == SUPERVISION_SYSTEMD_SERVICE)
		fputs("Restart=always\nRestartSec=200ms\n", f);
	fprintf(f, "TimeoutStartSec=%u\nTimeoutStopSec=15\n", m->exec.start_timeout_s);
	put_limits(f, m);
	put_dirs(f, "StateDirectory", &m->state_dirs);
	put_dirs(f, "RuntimeDirectory", &m->runtime_dirs);
	if (m->spool_dir)
		fprintf(f, "ReadWritePaths=%s\n", m->spool_dir);
	if (manifest_declares(m, "cap_bpf")) /* the way to it is root's alone */
		fprintf(f, "BindPaths=-" SR_BPFFS "/" SR_BPFFS_DIR "/%s:" SR_RUN "/%s/bpf\n", m->id, m->id);
	if (manifest_declares(m, "cap_net_raw")) /* packet sockets that count on while it is restarted */
		fputs("FileDescriptorStoreMax=64\n", f);
	fputs("\n# The same capabilities as on the file: either alone is lost somewhere without a word.\n", f);
	put_caps(f, m->requires.os_capabilities);
	fputc('\n', f);
	put_hardening(f, m);
	if (m->supervision == SUPERVISION_SYSTEMD_SERVICE)
		fputs("\n[Install]\nWantedBy=multi-user.target\n", f);
}

static void put_socket(FILE *f, const struct manifest *m)
{
	put_head(f, m, ", its socket");
	fprintf(f, "\n[Socket]\nListenStream=%s\nSocketUser=%s\nSocketGroup=%s\nSocketMode=%04o\nRemoveOnStop=yes\n\n", m->socket.path,
		manifest_user(m), manifest_user(m), m->socket.mode);
	fputs("[Install]\nWantedBy=sockets.target\n", f);
}

static void put_timer(FILE *f, const struct manifest *m)
{
	put_head(f, m, ", its timer");
	fprintf(f, "\n[Timer]\nOnCalendar=%s\nRandomizedDelaySec=%u\nPersistent=yes\n\n", m->schedule.on_calendar,
		m->schedule.randomized_delay_s);
	fputs("[Install]\nWantedBy=timers.target\n", f);
}

char *render_unit(const struct manifest *m, const char *suffix)
{
	bool runs = manifest_has_unit(m);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	if (strcmp(suffix, "service") == 0 && runs)
		put_service(f, m);
	else if (strcmp(suffix, "socket") == 0 && runs && m->socket.path)
		put_socket(f, m);
	else if (strcmp(suffix, "timer") == 0 && m->supervision == SUPERVISION_SYSTEMD_TIMER)
		put_timer(f, m);
	if (ferror(f) | fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}
