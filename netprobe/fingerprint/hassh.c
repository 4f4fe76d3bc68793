/* SPDX-License-Identifier: Apache-2.0 */
/* HASSH: the MD5 of key exchange methods; ciphers; MACs; compression methods of a KEXINIT (RFC 4253 section 7.1), those from
 * the client to the server for the client's, the other way for the server's. */
#include <errno.h>

#include "netprobe/dissect/cursor.h"
#include "netprobe/fingerprint/digest.h"
#include "netprobe/fingerprint/fingerprint.h"

#define SSH_MSG_KEXINIT 20
#define NAME_LISTS      10

/* The name-lists in their order; of a pair the first is from the client to the server. */
enum { KEX = 0, ENCRYPTION = 2, MAC = 4, COMPRESSION = 6 };

int hassh_kexinit(struct span payload, bool server, char out[HASSH_BYTES])
{
	const unsigned parts[] = { KEX, ENCRYPTION + server, MAC + server, COMPRESSION + server };
	struct cursor c = cursor_of(payload);
	struct span lists[NAME_LISTS];
	struct digest d;

	out[0] = '\0';
	if (cursor_u8(&c) != SSH_MSG_KEXINIT)
		return -EBADMSG;
	cursor_skip(&c, 16); /* cookie */
	for (unsigned i = 0; i < NAME_LISTS; i++)
		lists[i] = cursor_span(&c, cursor_be32(&c));
	if (c.failed || c.left < 5) /* first_kex_packet_follows and a reserved word */
		return -EBADMSG;
	digest_begin(&d, DIGEST_MD5);
	for (unsigned i = 0; i < 4; i++) {
		if (i > 0)
			digest_add(&d, ";", 1);
		digest_add(&d, lists[parts[i]].data, lists[parts[i]].size);
	}
	return digest_end(&d, out, HASSH_BYTES - 1);
}
