/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/minisign.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t hash[MINISIGN_HASH_BYTES];
	struct error err = { .text = "" };
	struct minisign_signature sig;
	struct minisign_key key;
	int r = minisign_signature_parse((const char *)data, size, "fuzz.minisig", &sig, &err);

	refusal(r, &err);
	if (r == 0) {
		memset(&key, 0, sizeof(key));
		memcpy(key.id, sig.id, sizeof(key.id));
		if (minisign_verify(&key, &sig, hash) == 0)
			abort();
	}
	err.text[0] = '\0';
	refusal(minisign_key_parse((const char *)data, size, "fuzz.pub", &key, &err), &err);
	return 0;
}
