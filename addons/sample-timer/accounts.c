/* SPDX-License-Identifier: Apache-2.0 */
/* An example of an add-on on a timer: reads /etc/shadow, which only root may, and leaves in the spool how each account's password is
 * kept. No password, hash or salt is in what it writes: who reads the spool learns nothing to log in with. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <json-c/json.h>
#include <pwd.h>
#include <shadow.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/utf8.h"

#define TEMPORARY    ".new" /* the same each time: what a crash leaves is gone with the next run */
#define WAITING_MAX  100    /* files: when nobody takes them, no more are added */
#define ACCOUNTS_MAX 5000   /* what the agent takes of one file is limited */

/* crypt(5): how a hash begins. */
static const struct {
	const char *prefix, *name;
} methods[] = {
	{ "$y$", "yescrypt" }, { "$gy$", "gost-yescrypt" }, { "$7$", "scrypt" },        { "$2", "bcrypt" },
	{ "$6$", "sha512" },   { "$5$", "sha256" },         { "$sha1", "sha1" },        { "$md5", "sunmd5" },
	{ "$1$", "md5" },      { "_", "bsdi-des" },         { "$3$", "nt" },
};

static const char *method_of(const char *hash)
{
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strncmp(hash, methods[i].prefix, strlen(methods[i].prefix)) == 0)
			return methods[i].name;
	return "des";
}

/* shadow(5): an empty field lets anyone in; "!" and "*" begin what no password fits. */
static void add_password(struct json_object *o, const char *field)
{
	bool locked = *field == '!' || *field == '*';

	json_object_object_add(o, "password", json_object_new_string(!*field ? "none" : locked ? "locked" : "set"));
	if (*field && !locked)
		json_object_object_add(o, "method", json_object_new_string(method_of(field)));
}

/* A name that is no UTF-8 would make the line unreadable. */
static void add_name(struct json_object *o, const char *name)
{
	char text[64];
	size_t n = 0;

	for (; n < sizeof(text) - 1 && name[n]; n++)
		text[n] = utf8_length((const unsigned char *)name + n) == 1 ? name[n] : '?';
	text[n] = '\0';
	json_object_object_add(o, "name", json_object_new_string(text));
}

static void put(FILE *f, struct json_object *o)
{
	fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE), f);
	fputc('\n', f);
	json_object_put(o);
}

static void put_account(FILE *f, const struct spwd *s)
{
	struct json_object *o = json_object_new_object();
	const struct passwd *p = getpwnam(s->sp_namp);

	json_object_object_add(o, "kind", json_object_new_string("account"));
	add_name(o, s->sp_namp);
	if (p)
		json_object_object_add(o, "uid", json_object_new_int64(p->pw_uid));
	add_password(o, s->sp_pwdp ? s->sp_pwdp : "");
	if (s->sp_lstchg >= 0)
		json_object_object_add(o, "changedDay", json_object_new_int64(s->sp_lstchg));
	put(f, o);
}

static int scan(FILE *out)
{
	_cleanup_fclose_ FILE *shadow = fopen("/etc/shadow", "re");
	struct json_object *o = json_object_new_object();
	const struct spwd *s;
	int64_t accounts = 0;

	if (!shadow) {
		fprintf(stderr, "/etc/shadow: %s\n", strerror(errno));
		json_object_put(o);
		return -errno;
	}
	while (accounts < ACCOUNTS_MAX && (s = fgetspent(shadow))) {
		put_account(out, s);
		accounts++;
	}
	json_object_object_add(o, "kind", json_object_new_string("scan"));
	json_object_object_add(o, "accounts", json_object_new_int64(accounts));
	put(out, o);
	return 0;
}

static int waiting(int spool)
{
	_cleanup_close_ int again = openat(spool, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_closedir_ DIR *dir = fdopendir_steal(&again);
	const struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)))
		n += e->d_name[0] != '.';
	return n;
}

/* Whole under its name, or not at all. The agent may write here, too: nothing that it could have put here is opened or followed. */
static int spool_scan(int spool)
{
	_cleanup_close_ int fd = -1;
	_cleanup_fclose_ FILE *f = NULL;
	struct timespec now;
	char name[64];
	struct tm tm;
	size_t n;
	int r;

	if (unlinkat(spool, TEMPORARY, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(spool, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	f = fdopen_steal(&fd, "w");
	if (!f)
		return -errno;
	r = scan(f);
	if (r < 0)
		return r;
	if (fflush(f) != 0 || fsync(fileno(f)) < 0)
		return -errno;
	clock_gettime(CLOCK_REALTIME, &now);
	n = strftime(name, sizeof(name), "accounts-%Y%m%dT%H%M%S", gmtime_r(&now.tv_sec, &tm));
	(void)snprintf(name + n, sizeof(name) - n, ".%09ld.jsonl", now.tv_nsec);
	return renameat(spool, TEMPORARY, spool, name) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "spool", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 } };
	const char *path = NULL;
	_cleanup_close_ int spool = -1;
	int o, r;

	while ((o = getopt_long(argc, argv, "", options, NULL)) == 's')
		path = optarg;
	if (o != -1 || !path || optind < argc) {
		fputs("usage: serviceradar-sample-timer --spool DIR\n", stderr);
		return 1;
	}
	spool = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (spool < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return 1;
	}
	if (waiting(spool) > WAITING_MAX) {
		fprintf(stderr, "%s: more than %d files wait: is serviceradar-agent running? Nothing is added\n", path, WAITING_MAX);
		return 0;
	}
	r = spool_scan(spool);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(-r));
	return r < 0 ? 1 : 0;
}
