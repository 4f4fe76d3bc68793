/* SPDX-License-Identifier: Apache-2.0 */
/* activate ID [VERSION|packaged], and rollback ID: activate what was active before. */
#include <errno.h>
#include <string.h>

#include "helper/activation.h"
#include "lib/assignment.h"
#include "lib/fs.h"
#include "lib/paths.h"

/* The administrator's assignment names this version and these bytes. */
static bool pinned(struct updater *u, const struct payload *p)
{
	_cleanup_assignment_ struct assignment a = { 0 };
	_cleanup_close_ int dir = fs_open_dir(u->rootfd, SR_ASSIGNMENTS, true, NULL);

	return dir >= 0 && assignment_read(dir, SR_ASSIGNMENTS, p->manifest.id, &a, NULL) == 0 && a.version && a.artifact.sha256 &&
	       strcmp(a.version, p->label) == 0 && strcasecmp(a.artifact.sha256, p->bundle_sha256) == 0;
}

/* An old version may have an old hole: what is below the highest that ever ran here must be asked for by name. What a package
 * manager installed is its own decision. */
static int check_downgrade(struct updater *u, const struct payload *p, const struct state *s)
{
	if (u->allow_downgrade || strcmp(p->label, PAYLOAD_PACKAGED) == 0 || !*s->highest ||
	    semver_compare(p->manifest.version, s->highest) >= 0 || pinned(u, p))
		return 0;
	return error_set(&u->err, -EPERM,
			 "%s: %s is older than %s, which was active here: pin version and sha256 in " SR_ASSIGNMENTS
			 "/%s.json, or use --allow-downgrade",
			 p->manifest.id, p->label, s->highest, p->manifest.id);
}

static int check_host(struct updater *u, const char *id, const struct state *s)
{
	if (s->removing)
		return error_set(&u->err, -EBUSY, "%s: its package is being removed; installing it again ends this", id);
	if (units_masked(u, id))
		return error_set(&u->err, -EPERM, "%s: its unit is masked: systemctl unmask serviceradar-%s.service", id, id);
	return 0;
}

static enum result activate(struct updater *u, const char *id, const char *label, const struct state *s, struct json_object *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	enum grant_mode mode;
	enum result r = activation_prepare(u, id, label, &p, &mode);

	if (r == RESULT_DONE && check_downgrade(u, &p, s) < 0)
		r = RESULT_REFUSED;
	return r == RESULT_DONE ? activation_run(u, &p, mode, (struct how){ .enable = true, .start = true }, out) : r;
}

enum result verb_activate(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	const char *label = arg && *arg ? arg : PAYLOAD_PACKAGED;
	struct state state;

	if (!payload_label_valid(label)) {
		(void)error_set(&u->err, -EINVAL, "%.64s: neither a version nor \"" PAYLOAD_PACKAGED "\"", label);
		return RESULT_USAGE;
	}
	if (state_read(u, id, &state) < 0 || check_host(u, id, &state) < 0)
		return RESULT_REFUSED;
	return activate(u, id, label, &state, out);
}

enum result verb_rollback(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	struct state state;

	(void)arg;
	if (state_read(u, id, &state) < 0 || check_host(u, id, &state) < 0)
		return RESULT_REFUSED;
	if (!*state.previous) {
		(void)error_set(&u->err, -ENOENT, "%s: there is nothing to roll back to", id);
		return RESULT_REFUSED;
	}
	u->allow_downgrade = true; /* it was active here before, and is asked for by name */
	return activate(u, id, state.previous, &state, out);
}
