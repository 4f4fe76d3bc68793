/* SPDX-License-Identifier: Apache-2.0 */
/* objs: helper/state.c helper/payload.c helper/capability.c helper/command.c */
/* state.json and journal of the updater: the first byte says which. */
#include <fcntl.h>

#include "helper/state.h"
#include "lib/fs.h"
#include "lib/paths.h"
#include "tests/fuzz/fuzz.h"

static struct updater u = { .rootfd = -1, .input = { .fd = -1 } };
static char root[] = "/dev/shm/fuzz-XXXXXX";
static int dir = -1;

static void clean(void)
{
	(void)fs_remove_tree(AT_FDCWD, root, NULL);
}

static void prepare(void)
{
	if (!mkdtemp(root))
		abort();
	atexit(clean);
	u.root = root;
	u.rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fs_make_dirs(u.rootfd, SR_ADDONS "/probe", 0755, &u.err);
	if (dir < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool journal = size > 0 && (data[0] & 1);
	const char *name = journal ? "journal" : "state.json";
	struct state s;
	int fd;

	if (dir < 0)
		prepare();
	if (size == 0)
		return 0;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)(size - 1))
		abort();
	close(fd);
	u.err.text[0] = '\0';
	if (journal) {
		struct journal j = journal_read(&u, "probe");

		if (j.verb <= JOURNAL_NONE || j.verb > JOURNAL_REMOVE)
			abort();
		return 0;
	}
	refusal(state_read(&u, "probe", &s), &u.err);
	if (!payload_label_valid(s.label) || !payload_label_valid(s.previous) || (s.activated && !*s.label))
		abort();
	return 0;
}
