/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdbool.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"
#include "lib/protojson.h"
#include "netprobe/dissect/dissect.h"

struct shown {
	char text[65];
};

/* For the message: it becomes a protobuf string, which must be UTF-8, and what a client sent as a string may be any bytes. */
static struct shown shown(const char *value)
{
	struct shown s = { .text = "" };

	for (size_t i = 0; value[i] && i < sizeof(s.text) - 1; i++)
		s.text[i] = value[i] >= ' ' && value[i] <= '~' ? value[i] : '?';
	return s;
}

static int check_interface(const char *name, size_t i, struct error *err)
{
	if (!*name)
		return error_set(err, -EINVAL, "capture_interfaces[%zu]: an empty interface name", i);
	if (strcmp(name, "any") == 0 || strcmp(name, "*") == 0)
		return error_set(err, -EINVAL, "capture_interfaces[%zu]: \"%s\": interfaces are listed by name, there is no wildcard",
				 i, name);
	if (strlen(name) >= IF_NAMESIZE || if_nametoindex(name) == 0)
		return error_set(err, -EINVAL, "capture_interfaces[%zu]: \"%s\": no such interface on this host", i,
				 shown(name).text);
	return 0;
}

static bool address_valid(const char *s)
{
	unsigned char buf[16];

	return inet_pton(AF_INET, s, buf) == 1 || inet_pton(AF_INET6, s, buf) == 1;
}

static int check_dpi(const Serviceradar__Agent__Netprobe__V1__DpiConfig *dpi, const char *field, struct error *err)
{
	for (size_t i = 0; dpi && i < dpi->n_protocols; i++)
		if (protocol_from_name(dpi->protocols[i]) == PROTOCOL_UNKNOWN)
			return error_set(err, -EINVAL, "%s.protocols[%zu]: \"%s\" is no protocol that is known here", field, i,
					 shown(dpi->protocols[i]).text);
	return 0;
}

static int check_binding(const Serviceradar__Agent__Netprobe__V1__DeviceBinding *b, size_t i, struct error *err)
{
	char field[64];

	if (!address_valid(b->ip))
		return error_set(err, -EINVAL, "device_bindings[%zu].ip: \"%s\" is not an IP address", i, shown(b->ip).text);
	(void)snprintf(field, sizeof(field), "device_bindings[%zu].dpi", i);
	return check_dpi(b->dpi, field, err);
}

int config_check(const VisibilityConfig *config, struct error *err)
{
	int r = check_dpi(config->dpi, "dpi", err);

	for (size_t i = 0; i < config->n_capture_interfaces && r == 0; i++)
		r = check_interface(config->capture_interfaces[i], i, err);
	for (size_t i = 0; i < config->n_device_bindings && r == 0; i++)
		r = check_binding(config->device_bindings[i], i, err);
	if (r < 0)
		return r;
	if (*config->collector_ip && !address_valid(config->collector_ip))
		return error_set(err, -EINVAL, "collector_ip: \"%s\" is not an IP address", shown(config->collector_ip).text);
	return 0;
}

int config_hash(const VisibilityConfig *config, char hex[CONFIG_HASH_BYTES])
{
	size_t size = protobuf_c_message_get_packed_size(&config->base);
	_cleanup_free_ unsigned char *bytes = malloc(size ? size : 1);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (!bytes)
		return -ENOMEM;
	protobuf_c_message_pack(&config->base, bytes);
	if (EVP_Digest(bytes, size, digest, &n, EVP_sha256(), NULL) != 1 || n != 32)
		return -EIO;
	for (unsigned int i = 0; i < n; i++)
		(void)snprintf(hex + (size_t)i * 2, 3, "%02x", digest[i]);
	return 0;
}

int config_read(const char *path, VisibilityConfig **out, struct error *err)
{
	_cleanup_json_ struct json_object *object = NULL;
	ProtobufCMessage *message = NULL;
	struct error inner = { .text = "" };
	int r = json_read_file(AT_FDCWD, path, &object, err);

	*out = NULL;
	if (r < 0)
		return r;
	r = protojson_to_message(object, &serviceradar__agent__netprobe__v1__visibility_agent_config__descriptor, &message,
				 &inner);
	if (r == 0)
		r = config_check((const VisibilityConfig *)message, &inner);
	if (r < 0) {
		if (message)
			protobuf_c_message_free_unpacked(message, NULL);
		return error_set(err, r, "%s: %s", path, inner.text);
	}
	*out = (VisibilityConfig *)message;
	return 0;
}
