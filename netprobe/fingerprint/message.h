/* SPDX-License-Identifier: Apache-2.0 */
/* LicenseCleanFingerprint (docs/netprobe-ipc.md) of what was seen of one device. */
#pragma once

#include "netprobe/fingerprint/fuse.h"
#include "proto/netprobe.pb-c.h"

/* A message and all that it points to; its strings are those of the input. */
struct fingerprint_message {
	Serviceradar__Agent__Netprobe__V1__LicenseCleanFingerprint message;
	Serviceradar__Agent__Netprobe__V1__P0fFingerprintMatch p0f;
	Serviceradar__Agent__Netprobe__V1__FingerprintMatch ja4, hassh;
	Serviceradar__Agent__Netprobe__V1__OsMatch os;
	Serviceradar__Agent__Netprobe__V1__FingerprintDisagreement disagreement[FUSE_SIGNALS - 1];
	Serviceradar__Agent__Netprobe__V1__FingerprintDisagreement *disagreements[FUSE_SIGNALS - 1];
};

/* Fills *out; the hints of *in are set as well. *out must not be moved afterwards, and *in must outlive it. */
void fingerprint_message(struct fuse_input *in, struct fingerprint_message *out);

/* As fingerprint_message, of what one connection showed (*seen, with its hints) and what its device showed in all (*device,
 * of device_memory_complete): the fingerprints and their matches are the connection's, os_match and agreement_count the
 * device's. */
void fingerprint_device_message(const struct fuse_input *seen, const struct fuse_input *device,
				struct fingerprint_message *out);
