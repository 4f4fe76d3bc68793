/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/schema.h"

#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"

#define POINTER_BYTES 512

/* Where in the value (or schema) a check stands, and what it needs to say so. */
struct context {
	struct json_object *root; /* the whole schema, for $ref */
	const char *where;
	struct error *err;
	char pointer[POINTER_BYTES];
	int depth;
};

/* RFC 6901: "~" and "/" in a key are escaped. Returns the length to restore. */
static size_t push(struct context *c, const char *key)
{
	size_t before = strlen(c->pointer), n = before;

	if (n + 1 < POINTER_BYTES)
		c->pointer[n++] = '/';
	for (; *key && n + 2 < POINTER_BYTES; key++) {
		if (*key == '~' || *key == '/') {
			c->pointer[n++] = '~';
			c->pointer[n++] = *key == '~' ? '0' : '1';
		} else {
			c->pointer[n++] = *key;
		}
	}
	c->pointer[n < POINTER_BYTES ? n : POINTER_BYTES - 1] = '\0';
	return before;
}

static size_t push_index(struct context *c, size_t i)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%zu", i);
	return push(c, text);
}

static void pop(struct context *c, size_t before)
{
	c->pointer[before] = '\0';
}

static int fails(struct context *c, struct json_object *value, const char *rule, struct json_object *limit)
{
	const char *shown = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	const char *limit_text = limit ? json_object_to_json_string_ext(limit, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE) : "";

	return error_set(c->err, -EINVAL, "%s: %s: %.64s: breaks the rule %s%s%.128s", c->where,
			 *c->pointer ? c->pointer : "/", shown, rule, limit ? " " : "", limit_text);
}

static int broken(struct context *c, const char *keyword, const char *what)
{
	return error_set(c->err, -EINVAL, "%s: %s/%s: %s", c->where, c->pointer, keyword, what);
}

static bool is_number(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) || json_object_is_type(v, json_type_double);
}

/* 1.0 is an integer (JSON Schema core, section 4.2.3). */
static bool is_integer(struct json_object *v)
{
	double d;

	if (json_object_is_type(v, json_type_int))
		return true;
	if (!json_object_is_type(v, json_type_double))
		return false;
	d = json_object_get_double(v);
	if (!isfinite(d))
		return false;
	return fabs(d) >= 0x1p63 || d == (double)(int64_t)d; /* above 2^53 every double is whole */
}

static bool is_negative(struct json_object *v)
{
	return *json_object_get_string(v) == '-';
}

/* <0, 0, >0; exact for 64-bit integers, signed and unsigned. */
static int compare_numbers(struct json_object *a, struct json_object *b)
{
	double x, y;

	if (json_object_is_type(a, json_type_int) && json_object_is_type(b, json_type_int)) {
		if (is_negative(a) != is_negative(b))
			return is_negative(a) ? -1 : 1;
		if (is_negative(a)) {
			int64_t m = json_object_get_int64(a), n = json_object_get_int64(b);

			return (m > n) - (m < n);
		}
		uint64_t m = json_object_get_uint64(a), n = json_object_get_uint64(b);

		return (m > n) - (m < n);
	}
	x = json_object_get_double(a);
	y = json_object_get_double(b);
	return (x > y) - (x < y);
}

static bool equal(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b))
		return compare_numbers(a, b) == 0;
	if (json_object_get_type(a) != json_object_get_type(b))
		return false;
	if (json_object_is_type(a, json_type_array)) {
		size_t n = json_object_array_length(a);

		if (n != json_object_array_length(b))
			return false;
		for (size_t i = 0; i < n; i++)
			if (!equal(json_object_array_get_idx(a, i), json_object_array_get_idx(b, i)))
				return false;
		return true;
	}
	if (json_object_is_type(a, json_type_object)) {
		if (json_object_object_length(a) != json_object_object_length(b))
			return false;
		json_object_object_foreach(a, key, value)
		{
			struct json_object *other;

			if (!json_object_object_get_ex(b, key, &other) || !equal(value, other))
				return false;
		}
		return true;
	}
	return json_object_equal(a, b) != 0;
}

static bool type_matches(struct json_object *v, const char *type)
{
	if (strcmp(type, "integer") == 0)
		return is_integer(v);
	if (strcmp(type, "number") == 0)
		return is_number(v);
	if (strcmp(type, "string") == 0)
		return json_object_is_type(v, json_type_string);
	if (strcmp(type, "boolean") == 0)
		return json_object_is_type(v, json_type_boolean);
	if (strcmp(type, "object") == 0)
		return json_object_is_type(v, json_type_object);
	if (strcmp(type, "array") == 0)
		return json_object_is_type(v, json_type_array);
	return strcmp(type, "null") == 0 && json_object_is_type(v, json_type_null);
}

static bool type_known(struct json_object *name)
{
	static const char *const names[] = { "integer", "number", "string", "boolean", "object", "array", "null" };

	if (!json_object_is_type(name, json_type_string))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], json_object_get_string(name)) == 0)
			return true;
	return false;
}

/* The schema that "#/definitions/NAME" means, or NULL. */
static struct json_object *resolve(struct json_object *root, const char *ref)
{
	static const char prefix[] = "#/definitions/";
	struct json_object *definitions, *found;

	if (strncmp(ref, prefix, sizeof(prefix) - 1) != 0 || !json_object_object_get_ex(root, "definitions", &definitions) ||
	    !json_object_object_get_ex(definitions, ref + sizeof(prefix) - 1, &found))
		return NULL;
	return found;
}

/* ---- the schema itself ---- */

static int check_schema(struct context *c, struct json_object *schema);

static int check_map(struct context *c, const char *keyword, struct json_object *map)
{
	size_t outer, inner;
	int r = 0;

	if (!json_object_is_type(map, json_type_object))
		return broken(c, keyword, "must be an object of schemas");
	outer = push(c, keyword);
	json_object_object_foreach(map, key, value)
	{
		inner = push(c, key);
		r = check_schema(c, value);
		if (r < 0)
			return r;
		pop(c, inner);
	}
	pop(c, outer);
	return 0;
}

static int check_below(struct context *c, const char *keyword, struct json_object *schema)
{
	size_t before = push(c, keyword);
	int r = check_schema(c, schema);

	pop(c, before);
	return r;
}

static int check_type(struct context *c, struct json_object *v)
{
	if (type_known(v))
		return 0;
	if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) == 0)
		return broken(c, "type", "is no type name, nor a list of them");
	for (size_t i = 0; i < json_object_array_length(v); i++)
		if (!type_known(json_object_array_get_idx(v, i)))
			return broken(c, "type", "holds an unknown type name");
	return 0;
}

static int check_pattern(struct context *c, struct json_object *v)
{
	regex_t re;

	if (!json_object_is_type(v, json_type_string) ||
	    regcomp(&re, json_object_get_string(v), REG_EXTENDED | REG_NOSUB) != 0)
		return broken(c, "pattern", "is no extended regular expression");
	regfree(&re);
	return 0;
}

static int check_names(struct context *c, const char *keyword, struct json_object *v)
{
	if (!json_object_is_type(v, json_type_array))
		return broken(c, keyword, "must be a list of names");
	for (size_t i = 0; i < json_object_array_length(v); i++)
		if (!json_object_is_type(json_object_array_get_idx(v, i), json_type_string))
			return broken(c, keyword, "must be a list of names");
	return 0;
}

static int check_dependent(struct context *c, struct json_object *v)
{
	if (!json_object_is_type(v, json_type_object))
		return broken(c, "dependentRequired", "must be an object of lists of names");
	json_object_object_foreach(v, key, names)
	{
		int r = check_names(c, "dependentRequired", names);

		(void)key;
		if (r < 0)
			return r;
	}
	return 0;
}

/* A chain of references ends; a reference below properties or items cannot loop on a finite value, but one that leads
 * straight to itself would. */
static int check_ref(struct context *c, struct json_object *v)
{
	struct json_object *target = v;

	for (int hops = 0; hops < 16; hops++) {
		if (!json_object_is_type(target, json_type_string))
			return broken(c, "$ref", "must be a string");
		target = resolve(c->root, json_object_get_string(target));
		if (!target)
			return broken(c, "$ref", "must name an entry of #/definitions/ in the same file");
		if (!json_object_is_type(target, json_type_object) || !json_object_object_get_ex(target, "$ref", &target))
			return 0;
	}
	return broken(c, "$ref", "the references lead round in a circle");
}

static bool one_of(const char *s, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(s, *names) == 0)
			return true;
	return false;
}

static int check_keyword(struct context *c, const char *key, struct json_object *v)
{
	static const char *const carried[] = { "$schema", "$id", "$comment", "title", "description", "examples", "default",
					       "const", NULL };
	static const char *const sizes[] = { "minLength", "maxLength", "minItems", "maxItems", NULL };

	if (strncmp(key, "x-", 2) == 0 || one_of(key, carried))
		return 0;
	if (one_of(key, sizes))
		return json_object_is_type(v, json_type_int) && !is_negative(v) ? 0 : broken(c, key, "must be a whole number");
	if (strcmp(key, "minimum") == 0 || strcmp(key, "maximum") == 0)
		return is_number(v) ? 0 : broken(c, key, "must be a number");
	if (strcmp(key, "uniqueItems") == 0)
		return json_object_is_type(v, json_type_boolean) ? 0 : broken(c, key, "must be true or false");
	if (strcmp(key, "enum") == 0)
		return json_object_is_type(v, json_type_array) ? 0 : broken(c, key, "must be a list");
	if (strcmp(key, "type") == 0)
		return check_type(c, v);
	if (strcmp(key, "pattern") == 0)
		return check_pattern(c, v);
	if (strcmp(key, "required") == 0)
		return check_names(c, key, v);
	if (strcmp(key, "dependentRequired") == 0)
		return check_dependent(c, v);
	if (strcmp(key, "$ref") == 0)
		return check_ref(c, v);
	if (strcmp(key, "properties") == 0 || strcmp(key, "definitions") == 0)
		return check_map(c, key, v);
	if (strcmp(key, "items") == 0 || strcmp(key, "propertyNames") == 0)
		return check_below(c, key, v);
	if (strcmp(key, "additionalProperties") == 0)
		return json_object_is_type(v, json_type_boolean) ? 0 : check_below(c, key, v);
	return broken(c, key, "this keyword is not supported");
}

static int check_schema(struct context *c, struct json_object *schema)
{
	int r = 0;

	if (json_object_is_type(schema, json_type_boolean))
		return 0;
	if (!json_object_is_type(schema, json_type_object))
		return error_set(c->err, -EINVAL, "%s: %s: a schema is an object", c->where, *c->pointer ? c->pointer : "/");
	if (++c->depth > JSON_MAX_DEPTH)
		return error_set(c->err, -EINVAL, "%s: %s: nested too deep", c->where, c->pointer);
	json_object_object_foreach(schema, key, value)
	{
		r = check_keyword(c, key, value);
		if (r < 0)
			break;
	}
	c->depth--;
	return r;
}

int schema_check(struct json_object *schema, const char *where, struct error *err)
{
	struct context c = { .root = schema, .where = where, .err = err };

	return check_schema(&c, schema);
}

/* ---- a value ---- */

static int validate(struct context *c, struct json_object *schema, struct json_object *v);

static struct json_object *keyword(struct json_object *schema, const char *name)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(schema, name, &v) ? v : NULL;
}

/* Code points of valid UTF-8: every byte that does not continue one. */
static size_t length_of(struct json_object *string)
{
	const char *s = json_object_get_string(string);
	size_t n = 0, size = (size_t)json_object_get_string_len(string);

	for (size_t i = 0; i < size; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

static bool below(size_t n, struct json_object *limit)
{
	return limit && n < json_object_get_uint64(limit);
}

static bool above(size_t n, struct json_object *limit)
{
	return limit && n > json_object_get_uint64(limit);
}

static int validate_type(struct context *c, struct json_object *type, struct json_object *v)
{
	if (json_object_is_type(type, json_type_string))
		return type_matches(v, json_object_get_string(type)) ? 0 : fails(c, v, "type", type);
	for (size_t i = 0; i < json_object_array_length(type); i++)
		if (type_matches(v, json_object_get_string(json_object_array_get_idx(type, i))))
			return 0;
	return fails(c, v, "type", type);
}

static int validate_string(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *pattern = keyword(schema, "pattern");
	size_t n = length_of(v);
	regex_t re;
	int matched;

	if (below(n, keyword(schema, "minLength")))
		return fails(c, v, "minLength", keyword(schema, "minLength"));
	if (above(n, keyword(schema, "maxLength")))
		return fails(c, v, "maxLength", keyword(schema, "maxLength"));
	if (!pattern)
		return 0;
	/* A NUL would end what regexec sees. */
	if (strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v))
		return fails(c, v, "pattern", pattern);
	if (regcomp(&re, json_object_get_string(pattern), REG_EXTENDED | REG_NOSUB) != 0)
		return fails(c, v, "pattern", pattern);
	matched = regexec(&re, json_object_get_string(v), 0, NULL, 0);
	regfree(&re);
	return matched == 0 ? 0 : fails(c, v, "pattern", pattern);
}

static int validate_number(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *min = keyword(schema, "minimum"), *max = keyword(schema, "maximum");

	if (min && compare_numbers(v, min) < 0)
		return fails(c, v, "minimum", min);
	if (max && compare_numbers(v, max) > 0)
		return fails(c, v, "maximum", max);
	return 0;
}

static int validate_array(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *items = keyword(schema, "items"), *unique = keyword(schema, "uniqueItems");
	size_t n = json_object_array_length(v);

	if (below(n, keyword(schema, "minItems")))
		return fails(c, v, "minItems", keyword(schema, "minItems"));
	if (above(n, keyword(schema, "maxItems")))
		return fails(c, v, "maxItems", keyword(schema, "maxItems"));
	for (size_t i = 0; i < n; i++) {
		size_t before = push_index(c, i);
		struct json_object *item = json_object_array_get_idx(v, i);
		int r = items ? validate(c, items, item) : 0;

		for (size_t j = 0; r == 0 && unique && json_object_get_boolean(unique) && j < i; j++)
			if (equal(item, json_object_array_get_idx(v, j)))
				r = fails(c, item, "uniqueItems", NULL);
		if (r < 0)
			return r;
		pop(c, before);
	}
	return 0;
}

/* `beside`: what asks for them, or "". */
static int validate_present(struct context *c, struct json_object *names, struct json_object *v, const char *beside)
{
	for (size_t i = 0; i < json_object_array_length(names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(names, i));

		if (!json_object_object_get_ex(v, name, NULL))
			return error_set(c->err, -EINVAL, "%s: %s/%s: required%s%.64s, but missing", c->where, c->pointer, name,
					 *beside ? " beside " : "", beside);
	}
	return 0;
}

static int validate_required(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *required = keyword(schema, "required"), *dependent = keyword(schema, "dependentRequired");
	int r = required ? validate_present(c, required, v, "") : 0;

	if (!dependent)
		return r;
	json_object_object_foreach(dependent, key, names)
	{
		if (r == 0 && json_object_object_get_ex(v, key, NULL))
			r = validate_present(c, names, v, key);
	}
	return r;
}

static int validate_name(struct context *c, struct json_object *names, const char *key)
{
	_cleanup_json_ struct json_object *name = json_object_new_string(key);

	return name ? validate(c, names, name) : -ENOMEM;
}

static int validate_object(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *names = keyword(schema, "propertyNames");
	struct json_object *properties = keyword(schema, "properties"), *additional = keyword(schema, "additionalProperties");
	int r = validate_required(c, schema, v);

	if (r < 0)
		return r;
	json_object_object_foreach(v, key, value)
	{
		struct json_object *sub = properties ? keyword(properties, key) : NULL;
		size_t before = push(c, key);

		r = names ? validate_name(c, names, key) : 0;
		if (r < 0)
			return r;
		if (sub)
			r = validate(c, sub, value);
		else if (additional && json_object_is_type(additional, json_type_boolean) && !json_object_get_boolean(additional))
			r = error_set(c->err, -EINVAL, "%s: %s: %.64s: unknown key (additionalProperties false)", c->where,
				      c->pointer, json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
		else if (additional)
			r = validate(c, additional, value);
		if (r < 0)
			return r;
		pop(c, before);
	}
	return 0;
}

static int validate_choice(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *choices = keyword(schema, "enum"), *constant;

	if (json_object_object_get_ex(schema, "const", &constant) && !equal(v, constant))
		return fails(c, v, "const", constant);
	if (!choices)
		return 0;
	for (size_t i = 0; i < json_object_array_length(choices); i++)
		if (equal(v, json_object_array_get_idx(choices, i)))
			return 0;
	return fails(c, v, "enum", choices);
}

static int validate_once(struct context *c, struct json_object *schema, struct json_object *v)
{
	struct json_object *ref, *type;
	int r;

	if (json_object_is_type(schema, json_type_boolean))
		return json_object_get_boolean(schema) ? 0 : fails(c, v, "false", NULL);
	ref = keyword(schema, "$ref");
	if (ref) {
		r = validate(c, resolve(c->root, json_object_get_string(ref)), v);
		if (r < 0)
			return r;
	}
	type = keyword(schema, "type");
	r = type ? validate_type(c, type, v) : 0;
	if (r == 0)
		r = validate_choice(c, schema, v);
	if (r < 0)
		return r;
	if (json_object_is_type(v, json_type_string))
		return validate_string(c, schema, v);
	if (is_number(v))
		return validate_number(c, schema, v);
	if (json_object_is_type(v, json_type_array))
		return validate_array(c, schema, v);
	if (json_object_is_type(v, json_type_object))
		return validate_object(c, schema, v);
	return 0;
}

static int validate(struct context *c, struct json_object *schema, struct json_object *v)
{
	int r;

	if (c->depth >= 4 * JSON_MAX_DEPTH)
		return error_set(c->err, -EINVAL, "%s: %s: nested too deep", c->where, c->pointer);
	c->depth++;
	r = validate_once(c, schema, v);
	c->depth--;
	return r;
}

int schema_validate(struct json_object *schema, struct json_object *value, const char *where, const char *pointer_prefix,
		    struct error *err)
{
	struct context c = { .root = schema, .where = where, .err = err };

	(void)snprintf(c.pointer, sizeof(c.pointer), "%s", pointer_prefix);
	return validate(&c, schema, value);
}

/* ---- defaults ---- */

static int apply(struct json_object *root, struct json_object *schema, struct json_object *v, int depth)
{
	struct json_object *properties, *items, *ref, *additional;

	if (depth > 2 * JSON_MAX_DEPTH || !json_object_is_type(schema, json_type_object))
		return 0;
	ref = keyword(schema, "$ref");
	if (ref) {
		int r = apply(root, resolve(root, json_object_get_string(ref)), v, depth + 1);

		if (r < 0)
			return r;
	}
	items = keyword(schema, "items");
	if (items && json_object_is_type(v, json_type_array))
		for (size_t i = 0; i < json_object_array_length(v); i++)
			if (apply(root, items, json_object_array_get_idx(v, i), depth + 1) < 0)
				return -ENOMEM;
	properties = keyword(schema, "properties");
	additional = keyword(schema, "additionalProperties");
	if (!json_object_is_type(v, json_type_object))
		return 0;
	if (additional) {
		json_object_object_foreach(v, key, value)
		{
			if (!(properties && keyword(properties, key)) && apply(root, additional, value, depth + 1) < 0)
				return -ENOMEM;
		}
	}
	if (!properties)
		return 0;
	json_object_object_foreach(properties, key, sub)
	{
		struct json_object *present, *standard, *copy = NULL;

		if (json_object_object_get_ex(v, key, &present)) {
			if (apply(root, sub, present, depth + 1) < 0)
				return -ENOMEM;
		} else if (json_object_is_type(sub, json_type_object) && json_object_object_get_ex(sub, "default", &standard)) {
			if (json_object_deep_copy(standard, &copy, NULL) < 0 || json_object_object_add(v, key, copy) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

int schema_apply_defaults(struct json_object *schema, struct json_object *value)
{
	return apply(schema, schema, value, 0);
}
