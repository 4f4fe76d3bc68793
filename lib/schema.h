/* SPDX-License-Identifier: Apache-2.0 */
/* A JSON Schema (2020-12) validator for the keywords an add-on's config schema may use (docs/addon.md):
 * type, properties, required, dependentRequired, additionalProperties, propertyNames, items, uniqueItems, enum, const, minimum,
 * maximum, minLength, maxLength, pattern, minItems, maxItems, default, $ref to "#/definitions/NAME", definitions; $schema, $id, $comment,
 * title, description, examples and x-… are carried and ignored. */
#pragma once

#include <json-c/json.h>

#include "lib/error.h"

/* Checks the schema itself: only known keywords, of the right type; patterns that compile; references that resolve and
 * do not loop. `where` names the schema file in messages. 0, or -EINVAL with a line naming the JSON pointer. */
int schema_check(struct json_object *schema, const char *where, struct error *err);

/* Validates `value` against a schema that schema_check accepted. 0, or -EINVAL with one line:
 * "WHERE: /config/foo: not allowed: additionalProperties …": the JSON pointer (below `pointer_prefix`, e.g. "/config"
 * or ""), the value that was wrong, and the rule. */
int schema_validate(struct json_object *schema, struct json_object *value, const char *where,
		    const char *pointer_prefix, struct error *err);

/* Fills in "default" values of missing properties, recursively, in place. */
int schema_apply_defaults(struct json_object *schema, struct json_object *value);
