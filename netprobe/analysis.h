/* SPDX-License-Identifier: Apache-2.0 */
/* From packets to what is reported: protocols, fingerprints, flow records. The one path of live packets and of capture files. */
#pragma once

#include "netprobe/classify.h"
#include "netprobe/fingerprint/fingerprint.h"
#include "proto/netprobe.pb-c.h"

struct analysis;

/* What comes out; a message is valid during the call only. */
struct analysis_sink {
	void (*dpi)(void *userdata, const Serviceradar__Agent__Netprobe__V1__DpiEvent *event);
	void (*fingerprint)(void *userdata, const Serviceradar__Agent__Netprobe__V1__FingerprintEvent *event);
	void (*record)(void *userdata, const Serviceradar__Agent__Netprobe__V1__FlowRecord *record);
	void *userdata;
};
