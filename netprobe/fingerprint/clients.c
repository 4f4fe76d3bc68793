/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and servers whose fingerprints were recorded from the programs themselves, as Debian 11 to 13 ship them. A library
 * that runs everywhere says nothing of the system; GnuTLS and Dropbear are Linux distributions' choice, and OpenSSH with this
 * list of methods, or curl with OpenSSL, is what Unix systems come with (Windows and its curl use Schannel). */
#include "netprobe/fingerprint/fuse.h"

#include <string.h>

/* Weights of a vote: where this is usual, where it only rules out the others. */
#define USUAL 0.4f
#define HINT  0.2f

/* The two hashes of a JA4. */
static const struct client_hint ja4_hints[] = {
	{ "e8f1e7e78f70_ce5650b735ce", "curl (OpenSSL)", "7.74", "unix", HINT },
	{ "e8f1e7e78f70_b26ce05bbdd6", "curl (OpenSSL)", "7.88", "unix", HINT },
	{ "1d37bd780c83_8537cf56674e", "curl (OpenSSL)", "8.14", "unix", HINT },
	{ "e8f1e7e78f70_1f22a2ca17c4", "openssl s_client", "1.1.1 to 3.0", "", 0 },
	{ "1d37bd780c83_ecd0401ec68b", "OpenSSL client", "OpenSSL 3.5", "", 0 },
	{ "d943125447b4_e7e480e5a997", "openssl s_client (DTLS or TLS 1.2)", "1.1.1 to 3.0", "", 0 },
	{ "a2460661a67a_36cef8aed422", "openssl s_client (DTLS or TLS 1.2)", "3.5", "", 0 },
	{ "e8f1e7e78f70_d339722ba4af", "Python or Ruby (OpenSSL)", "OpenSSL 1.1.1 to 3.0", "", 0 },
	{ "1d37bd780c83_5ae85263eb3b", "Python (OpenSSL)", "3.13", "", 0 },
	{ "e8f1e7e78f70_d41ae481755e", "OpenSSL client", "OpenSSL 1.1.1 to 3.0", "", 0 },
	{ "1d37bd780c83_8e6e362c5eac", "w3m (OpenSSL)", "OpenSSL 3.5", "", 0 },
	{ "723694b0fccc_899037bd0b8c", "GNU Wget (GnuTLS)", "1.21 to 1.25", "linux", USUAL },
	{ "723694b0fccc_288f874c93d6", "Git (libcurl, GnuTLS)", "2.30 to 2.39", "linux", USUAL },
	{ "723694b0fccc_2cc26d266019", "GnuTLS client", "GnuTLS 3.7 to 3.8", "linux", USUAL },
	{ "9dc949149365_97f8aa674fd9", "Go", "1.19", "", 0 },
	{ "f57a46bbacb6_e7c285222651", "Go", "1.24", "", 0 },
	{ "1d947a95fc68_7e1102d2036b", "Java", "17 to 21", "", 0 },
};

static const struct client_hint hassh_hints[] = {
	{ "c11b200866cf918393e62ea25d851d90", "OpenSSH", "8.4", "unix", HINT },
	{ "472b5de333ad665af5cbf10ff892c4df", "OpenSSH", "9.2", "unix", HINT },
	{ "eeca2460550b9ded084ecf2f70a75356", "OpenSSH", "10.0", "unix", HINT },
	{ "8fd8a429916fe75a12f03349e35d0a99", "Dropbear", "2020.81", "linux", USUAL },
	{ "16574631849ea8d13c926c9905839928", "Dropbear", "2022.83", "linux", USUAL },
	{ "818ee887e32ef97d5d172930a9c37d8d", "Dropbear", "2025.89", "linux", USUAL },
	{ "a91333beb3371dd17f0a93e771148359", "PuTTY", "0.74", "", 0 },
	{ "10d5550e526d158ce7ad2f18cf621f66", "PuTTY", "0.78", "", 0 },
	{ "4a3e3c55af41b23589ff4c9d6aee4404", "PuTTY", "0.83", "", 0 },
	{ "38da7a9dfb196c72a7354bb4cdce64d9", "Paramiko", "2.7", "", 0 },
	{ "a704be057881f0b1d623cd263e477a8b", "Paramiko", "2.12", "", 0 },
	{ "a2de0f306611e0957be704f5b0e35a82", "Paramiko", "3.5", "", 0 },
	{ "d1c5d296d5327da6ddb7e1367f528868", "AsyncSSH", "2.10", "", 0 },
	{ "f0dae8afad40e79868006dda460a3625", "AsyncSSH", "2.20", "", 0 },
	{ "a7a87fbe86774c2e40cc4a7ea2ab1b3c", "libssh2", "1.9", "", 0 },
	{ "b4b8ae3d7241d2c1dc54b4df7e8c19d1", "libssh2", "1.10", "", 0 },
	{ "57e4cc8ee36c3d78f75c6a05acd55963", "libssh2", "1.11", "", 0 },
};

static const struct client_hint hassh_server_hints[] = {
	{ "779664e66160bf75999f091fce5edb5a", "OpenSSH server", "8.4", "unix", HINT },
	{ "425d29fe50d8e4f5e37efb6e24bcf660", "OpenSSH server", "9.2", "unix", HINT },
	{ "671c5858369db8e0a60108d866bbf8ec", "OpenSSH server", "10.0", "unix", HINT },
	{ "e1a0b5f8d334ec70fe937b2d5ff8d0b6", "Dropbear server", "2020.81 to 2022.83", "linux", USUAL },
	{ "223440d715dad2172ff5f50e87dc537a", "Dropbear server", "2025.89", "linux", USUAL },
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct client_hint *find(const struct client_hint *table, size_t n, const char *fingerprint)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].fingerprint, fingerprint) == 0)
			return &table[i];
	return NULL;
}

const struct client_hint *client_hint_ja4(const char *ja4)
{
	const char *hashes = strchr(ja4, '_');

	return hashes ? find(ja4_hints, COUNT(ja4_hints), hashes + 1) : NULL;
}

const struct client_hint *client_hint_hassh(const char *hassh)
{
	return find(hassh_hints, COUNT(hassh_hints), hassh);
}

const struct client_hint *client_hint_hassh_server(const char *hassh)
{
	return find(hassh_server_hints, COUNT(hassh_server_hints), hassh);
}
