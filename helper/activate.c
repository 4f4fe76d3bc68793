/* SPDX-License-Identifier: Apache-2.0 */
/* activate ID [packaged] */
#include <errno.h>
#include <string.h>

#include "helper/activation.h"

enum result verb_activate(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	struct state state;
	enum grant_mode mode;
	enum result r;

	if (arg && *arg && strcmp(arg, "packaged") != 0) {
		(void)error_set(&u->err, -EINVAL, "%.64s: only \"packaged\" can be activated by this version", arg);
		return RESULT_USAGE;
	}
	if (state_read(u, id, &state) == 0 && state.removing) {
		(void)error_set(&u->err, -EBUSY, "%s: its package is being removed; installing it again ends this", id);
		return RESULT_REFUSED;
	}
	if (units_masked(u, id)) {
		(void)error_set(&u->err, -EPERM, "%s: its unit is masked: systemctl unmask serviceradar-%s.service", id, id);
		return RESULT_REFUSED;
	}
	r = activation_prepare(u, id, &p, &mode);
	return r == RESULT_DONE ? activation_run(u, &p, mode, true, out) : r;
}
