/* SPDX-License-Identifier: Apache-2.0 */
/* verify BUNDLE: everything that stage would refuse, and nothing is changed. */
#include <json-c/json.h>

#include "helper/intake.h"

enum result verb_verify(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_bundle_ struct bundle b = { 0 };
	_cleanup_close_ int copy = -1;
	enum result r = intake_authenticate(u, &b, &copy);

	(void)id;
	(void)arg;
	if (r == RESULT_DONE)
		r = intake_unpack(u, &b, copy, -1);
	if (r == RESULT_DONE)
		json_object_object_add(out, "bundle", bundle_to_json(&b));
	return r;
}
