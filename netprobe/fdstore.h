/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors that systemd keeps for the next daemon (sd_notify(3), FDSTORE=1; FileDescriptorStoreMax= in the unit). Without systemd
 * nothing is kept. */
#pragma once

/* Takes what systemd passed: those from its store, by name, for fdstore_take. Returns how many others there are, with the first of them
 * in *other, or a negative errno. Once, at the start. */
int fdstore_receive(int *other);

/* Has systemd keep a copy of `fd` under a name. */
void fdstore_keep(const char *name, int fd);
/* Has systemd close what it keeps under a name. */
void fdstore_drop(const char *name);

/* What systemd kept for us, ours now; it stays in the store, too. -1: nothing. */
int fdstore_take(const char *name);

/* What nobody took is closed here and there. */
void fdstore_drop_rest(void);
