/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/stream.h"

#include <string.h>

#include "agent/np.h"

#define MESSAGE(name) &serviceradar__agent__netprobe__v1__##name##__descriptor

static const struct {
	const char *name;
	const ProtobufCMessageDescriptor *descriptor;
} streams[STREAMS] = {
	[STREAM_FLOW_ATTRIBUTION] = { "flow_attribution_event", MESSAGE(flow_attribution_event) },
	[STREAM_DPI] = { "dpi_event", MESSAGE(dpi_event) },
	[STREAM_FINGERPRINT] = { "fingerprint_event", MESSAGE(fingerprint_event) },
	[STREAM_FLOW_RECORD] = { "flow_record", MESSAGE(flow_record) },
	[STREAM_PROCESS_SNAPSHOT] = { "process_snapshot", MESSAGE(process_snapshot) },
	[STREAM_ADDON_RECORD] = { "addon_record", NULL },
};

const char *stream_name(uint32_t stream)
{
	return stream < STREAMS ? streams[stream].name : NULL;
}

enum stream stream_parse(const char *name)
{
	for (uint32_t i = 1; i < STREAMS; i++)
		if (strcmp(streams[i].name, name) == 0)
			return (enum stream)i;
	return 0;
}

const ProtobufCMessageDescriptor *stream_descriptor(uint32_t stream)
{
	return stream < STREAMS ? streams[stream].descriptor : NULL;
}
