/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/fetch/fetch.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "lib/clock.h"
#include "lib/fs.h"
#include "lib/json.h"

#define REDIRECTS       5L
#define CONNECT_SECONDS 15L
#define STALL_SECONDS   30L
#define PROGRESS_US     250000u

struct transfer {
	const struct fetch_request *rq;
	struct fetch_facts *facts;
	struct error *err;
	int dir, fd;
	uint64_t from, size; /* where the download goes on; bytes in the file */
	char part[140], meta[140], etag_file[140];
	char etag[256];      /* of this answer; empty when there is none that is strong */
	uint64_t told_us;    /* when progress was told last */
	bool too_large;
	int disk_error;
	CURL *curl;
};

static bool loopback_name(const char *host)
{
	struct in_addr a;

	return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
	       (inet_pton(AF_INET, host, &a) == 1 && (ntohl(a.s_addr) >> 24) == 127);
}

static bool loopback_address(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr) >> 24) == 127;
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)a)->sin6_addr);
}

/* Plain http only to this host, whatever its name resolves to. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	if (!loopback_address(&address->addr))
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static enum fetch_result refuse(struct transfer *t, const char *what)
{
	(void)error_set(t->err, -EPERM, "%.300s: %s", t->rq->url, what);
	return FETCH_REFUSED;
}

static const char *check_parts(CURLU *u, const struct fetch_request *rq, bool *http)
{
	char *scheme = NULL, *host = NULL, *user = NULL;
	const char *wrong = NULL;

	if (curl_url_set(u, CURLUPART_URL, rq->url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		wrong = "not a URL";
	else if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
		wrong = "a user name in a URL is not allowed; use a client certificate";
	else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
		wrong = "only https, http and file are allowed";
	else if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		wrong = "names no host";
	*http = scheme && strcmp(scheme, "http") == 0;
	if (!wrong && *http && !rq->allow_http && !loopback_name(host))
		wrong = "http without TLS is allowed to this host only (fetch.allow_http in agent.json)";
	curl_free(scheme);
	curl_free(host);
	curl_free(user);
	return wrong;
}

/* ---- files ---- */

static void forget_part(struct transfer *t)
{
	(void)unlinkat(t->dir, t->part, 0);
	(void)unlinkat(t->dir, t->meta, 0);
}

/* A file of our own: regular, one name. */
static int open_part(struct transfer *t)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	struct stat st;

	t->fd = openat(t->dir, t->part, flags, 0600);
	if (t->fd < 0 || fstat(t->fd, &st) < 0)
		return error_set(t->err, -errno, "%s/%s: %s", t->rq->dir, t->part, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return error_set(t->err, -EPERM, "%s/%s: not a regular file with one name", t->rq->dir, t->part);
	t->size = (uint64_t)st.st_size;
	return 0;
}

/* Whether what was broken off belongs to this request; its ETag is what the server is asked with. */
static bool resumable(struct transfer *t, char etag[256])
{
	_cleanup_json_ struct json_object *o = NULL;

	if (t->size == 0 || json_read_file(t->dir, t->meta, &o, NULL) < 0)
		return false;
	if (strcmp(json_text(o, "url"), t->rq->url) != 0 || strcmp(json_text(o, "sha256"), t->rq->sha256 ? t->rq->sha256 : "") != 0)
		return false;
	(void)snprintf(etag, 256, "%s", json_text(o, "etag"));
	return *etag == '"';
}

static void keep_for_later(struct transfer *t)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();
	const char *text;

	if (!*t->etag || t->size == 0) {
		forget_part(t);
		return;
	}
	json_object_object_add(o, "url", json_object_new_string(t->rq->url));
	json_object_object_add(o, "etag", json_object_new_string(t->etag));
	json_object_object_add(o, "sha256", json_object_new_string(t->rq->sha256 ? t->rq->sha256 : ""));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	if (fs_write_atomic(t->dir, t->meta, text, strlen(text), 0600, (uid_t)-1, (gid_t)-1, NULL) < 0)
		forget_part(t);
}

static enum fetch_result publish(struct transfer *t)
{
	if (fsync(t->fd) < 0 || fs_sha256_fd(t->fd, t->facts->sha256, t->err) < 0) {
		(void)error_set(t->err, -errno, "%s/%s: %s", t->rq->dir, t->part, strerror(errno));
		return FETCH_LATER;
	}
	if (t->rq->sha256 && strcmp(t->facts->sha256, t->rq->sha256) != 0) {
		forget_part(t);
		(void)error_set(t->err, -EBADMSG, "%.300s: sha256 %.16s… instead of %.16s…", t->rq->url, t->facts->sha256, t->rq->sha256);
		return FETCH_REFUSED;
	}
	if (renameat(t->dir, t->part, t->dir, t->rq->name) < 0 || fsync(t->dir) < 0) {
		(void)error_set(t->err, -errno, "%s/%s: %s", t->rq->dir, t->rq->name, strerror(errno));
		return FETCH_LATER;
	}
	(void)unlinkat(t->dir, t->meta, 0);
	if (!*t->etag || fs_write_atomic(t->dir, t->etag_file, t->etag, strlen(t->etag), 0600, (uid_t)-1, (gid_t)-1, NULL) < 0)
		(void)unlinkat(t->dir, t->etag_file, 0);
	return FETCH_DONE;
}

/* The digest of the file that is here, if it is what is wanted; else false. */
static bool here_already(struct transfer *t)
{
	_cleanup_close_ int fd = fs_open_file(t->dir, t->rq->name, t->rq->name, NULL);

	return fd >= 0 && fs_sha256_fd(fd, t->facts->sha256, NULL) == 0 &&
	       (!t->rq->sha256 || strcmp(t->facts->sha256, t->rq->sha256) == 0);
}

/* ---- the network ---- */

static int append(struct transfer *t, const void *data, size_t size)
{
	const char *p = data;

	if (t->size + size > t->rq->max_bytes) {
		t->too_large = true;
		return -EFBIG;
	}
	while (size > 0) {
		ssize_t n = pwrite(t->fd, p, size, (off_t)t->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			t->disk_error = n < 0 ? errno : EIO;
			return -t->disk_error;
		}
		p += n;
		size -= (size_t)n;
		t->size += (uint64_t)n;
	}
	return 0;
}

static size_t on_body(char *data, size_t one, size_t n, void *arg)
{
	struct transfer *t = arg;
	long status = 0;

	(void)one;
	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200 && status != 206)
		return n; /* an error page; the status says all */
	if (status == 200 && t->from > 0) { /* the server starts over */
		if (ftruncate(t->fd, 0) < 0)
			return 0;
		t->size = t->from = 0;
	}
	t->facts->bytes += n;
	return append(t, data, n) < 0 ? 0 : n;
}

/* Of the last answer, after redirects: a strong ETag (RFC 9110, 8.8.3) is kept, a weak one says nothing about bytes. */
static size_t on_header(char *data, size_t one, size_t n, void *arg)
{
	static const char name[] = "etag:";
	struct transfer *t = arg;
	size_t i = sizeof(name) - 1, end = n;

	(void)one;
	if (n > 5 && strncmp(data, "HTTP/", 5) == 0)
		t->etag[0] = '\0';
	if (n < sizeof(name) || strncasecmp(data, name, sizeof(name) - 1) != 0)
		return n;
	while (i < n && (data[i] == ' ' || data[i] == '\t'))
		i++;
	while (end > i && strchr("\r\n \t", data[end - 1]))
		end--;
	if (end - i >= 2 && end - i < sizeof(t->etag) && data[i] == '"' && data[end - 1] == '"') {
		memcpy(t->etag, data + i, end - i);
		t->etag[end - i] = '\0';
	}
	return n;
}

/* What libcurl counts is of this answer, which may be the rest of the file only, or an error page. */
static int on_progress(void *arg, curl_off_t all, curl_off_t now, curl_off_t up_all, curl_off_t up_now)
{
	struct transfer *t = arg;
	uint64_t us = clock_us();

	(void)now;
	(void)up_all;
	(void)up_now;
	if (t->size == t->from || us < t->told_us + PROGRESS_US)
		return 0;
	t->told_us = us;
	t->rq->progress(t->size, all > 0 ? t->from + (uint64_t)all : 0);
	return 0;
}

static void set_options(struct transfer *t, bool http)
{
	const struct fetch_request *rq = t->rq;
	CURL *c = t->curl;

	curl_easy_setopt(c, CURLOPT_URL, rq->url);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, http ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, http ? "http" : "https");
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, REDIRECTS);
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	if (rq->ca_file) {
		curl_easy_setopt(c, CURLOPT_CAINFO, rq->ca_file);
		curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	if (rq->client_cert)
		curl_easy_setopt(c, CURLOPT_SSLCERT, rq->client_cert);
	if (rq->client_key)
		curl_easy_setopt(c, CURLOPT_SSLKEY, rq->client_key);
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT, rq->timeout_s);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "serviceradar-agent/" SR_VERSION);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	if (rq->progress) {
		curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
	}
	if (http && !rq->allow_http) {
		curl_easy_setopt(c, CURLOPT_PROXY, "");
		curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	}
}

/* If-None-Match for a file that is here, Range and If-Range for one that was broken off (RFC 9110, 13.1 and 14.2). */
static struct curl_slist *conditions(struct transfer *t)
{
	_cleanup_free_ char *known = NULL;
	struct curl_slist *list = NULL;
	char etag[256], header[300], range[32];

	if (resumable(t, etag)) {
		t->from = t->size;
		(void)snprintf(range, sizeof(range), "%llu-", (unsigned long long)t->from);
		curl_easy_setopt(t->curl, CURLOPT_RANGE, range);
		(void)snprintf(header, sizeof(header), "If-Range: %s", etag);
		return curl_slist_append(list, header);
	}
	if (ftruncate(t->fd, 0) == 0)
		t->size = 0;
	if (t->rq->sha256 || !here_already(t) || fs_read_file(t->dir, t->etag_file, 255, &known, NULL, NULL) < 0 || *known != '"')
		return NULL;
	(void)snprintf(header, sizeof(header), "If-None-Match: %s", known);
	return curl_slist_append(list, header);
}

static enum fetch_result broken_off(struct transfer *t, CURLcode code)
{
	if (t->too_large) {
		forget_part(t);
		(void)error_set(t->err, -EFBIG, "%.300s: larger than %llu bytes", t->rq->url, (unsigned long long)t->rq->max_bytes);
		return FETCH_REFUSED;
	}
	if (t->disk_error) {
		(void)error_set(t->err, -t->disk_error, "%s/%s: %s", t->rq->dir, t->part, strerror(t->disk_error));
		forget_part(t);
		return FETCH_LATER;
	}
	keep_for_later(t);
	(void)error_set(t->err, -EIO, "%.300s: %s", t->rq->url, curl_easy_strerror(code));
	if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_PEER_FAILED_VERIFICATION)
		return FETCH_REFUSED;
	return FETCH_LATER;
}

static enum fetch_result answered(struct transfer *t)
{
	long status = 0;

	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status == 200 || status == 206) {
		t->facts->resumed = status == 206 && t->from > 0;
		return publish(t);
	}
	forget_part(t);
	if (status == 304) {
		t->facts->not_modified = true;
		return FETCH_DONE;
	}
	(void)error_set(t->err, -EIO, "%.300s: the server answers %ld", t->rq->url, status);
	return status == 416 || status == 408 || status == 429 || status >= 500 ? FETCH_LATER : FETCH_GONE;
}

static enum fetch_result over_network(struct transfer *t)
{
	struct curl_slist *headers;
	CURLU *u = curl_url();
	enum fetch_result result;
	const char *wrong;
	CURLcode code;
	bool http;

	wrong = u ? check_parts(u, t->rq, &http) : "out of memory";
	curl_url_cleanup(u);
	if (wrong)
		return refuse(t, wrong);
	if (open_part(t) < 0)
		return FETCH_REFUSED;
	t->curl = curl_easy_init();
	if (!t->curl)
		return refuse(t, "libcurl cannot be used");
	set_options(t, http);
	headers = conditions(t);
	curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, headers);
	code = curl_easy_perform(t->curl);
	result = code == CURLE_OK ? answered(t) : broken_off(t, code);
	curl_slist_free_all(headers);
	curl_easy_cleanup(t->curl);
	return result;
}

/* ---- a file of this host ---- */

static enum fetch_result copy(struct transfer *t, int from)
{
	char buf[65536];

	if (ftruncate(t->fd, 0) < 0)
		return FETCH_LATER;
	t->size = 0;
	for (;;) {
		ssize_t n = read(from, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)error_set(t->err, -errno, "%.300s: %s", t->rq->url, strerror(errno));
			return FETCH_LATER;
		}
		if (n == 0)
			return publish(t);
		if (append(t, buf, (size_t)n) < 0)
			return broken_off(t, CURLE_WRITE_ERROR);
	}
}

static enum fetch_result from_file(struct transfer *t, const char *path)
{
	_cleanup_close_ int from = -1;

	if (*path != '/')
		return refuse(t, "a file URL is file:///absolute/path");
	from = fs_open_file(AT_FDCWD, path, path, t->err);
	if (from < 0)
		return from == -ENOENT ? FETCH_GONE : FETCH_REFUSED;
	if (open_part(t) < 0)
		return FETCH_REFUSED;
	return copy(t, from);
}

static bool name_valid(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < 100 && *name != '.' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+-") == n;
}

enum fetch_result fetch(const struct fetch_request *rq, struct fetch_facts *facts, struct error *err)
{
	struct transfer t = { .rq = rq, .facts = facts, .err = err, .fd = -1 };
	enum fetch_result r;

	*facts = (struct fetch_facts){ 0 };
	if (!name_valid(rq->name)) {
		(void)error_set(err, -EINVAL, "--name %.64s: must be one name of A-Z a-z 0-9 . _ + - that does not begin with a dot", rq->name);
		return FETCH_REFUSED;
	}
	t.dir = open(rq->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t.dir < 0) {
		(void)error_set(err, -errno, "%s: %s", rq->dir, strerror(errno));
		return FETCH_REFUSED;
	}
	(void)snprintf(t.part, sizeof(t.part), "%s.part", rq->name);
	(void)snprintf(t.meta, sizeof(t.meta), "%s.meta", rq->name);
	(void)snprintf(t.etag_file, sizeof(t.etag_file), "%s.etag", rq->name);
	if (rq->sha256 && here_already(&t)) {
		forget_part(&t);
		facts->not_modified = true;
		r = FETCH_DONE;
	} else if (strncmp(rq->url, "file://", 7) == 0) {
		r = from_file(&t, rq->url + 7);
	} else {
		r = over_network(&t);
	}
	if (t.fd >= 0)
		close(t.fd);
	close(t.dir);
	return r;
}
