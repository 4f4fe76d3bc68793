/* SPDX-License-Identifier: Apache-2.0 */
#include "netprobe/dissect/tls_hello.h"

#include "netprobe/dissect/cursor.h"

bool tls_client_hello_valid(struct span body, bool dtls)
{
	struct cursor c = cursor_of(body);
	uint16_t version = cursor_be16(&c);
	uint16_t ciphers, extensions;

	if (dtls ? version >> 8 != 0xfe && version != 0x0100 : version >> 8 != 3)
		return false;
	cursor_skip(&c, 32);
	cursor_skip(&c, cursor_u8(&c));
	if (dtls)
		cursor_skip(&c, cursor_u8(&c));
	ciphers = cursor_be16(&c);
	if (!ciphers || ciphers % 2)
		return false;
	cursor_skip(&c, ciphers);
	cursor_skip(&c, cursor_u8(&c));
	if (c.failed)
		return false;
	if (!c.left) /* no extensions: SSL 3.0, TLS 1.0 */
		return true;
	extensions = cursor_be16(&c);
	return !c.failed && extensions == c.left;
}
