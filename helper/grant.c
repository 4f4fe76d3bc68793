/* SPDX-License-Identifier: Apache-2.0 */
/* grant ID: file capabilities of the active payload, else of the packaged one. */
#include <json-c/json.h>

#include "helper/activation.h"

enum result verb_grant(struct updater *u, const char *id, const char *arg, struct json_object *out)
{
	_cleanup_payload_ struct payload p = PAYLOAD_NONE;
	char text[256], label[80];
	enum grant_mode mode;
	enum result r;

	(void)arg;
	activation_label(u, id, label);
	r = activation_prepare(u, id, label, &p, &mode);
	if (r != RESULT_DONE)
		return r;
	if (capability_grant(u, &p, &mode) < 0)
		return RESULT_FAILED;
	json_object_object_add(out, "grant_mode", json_object_new_string(grant_mode_name(mode)));
	json_object_object_add(out, "capabilities",
			       json_object_new_string(caps_format(p.manifest.requires.os_capabilities, text, sizeof(text))));
	return RESULT_DONE;
}
