/* SPDX-License-Identifier: Apache-2.0 */
/* Short names for the generated code of proto/netprobe.proto. */
#pragma once

#include "proto/netprobe.pb-c.h"

typedef Serviceradar__Agent__Netprobe__V1__NetprobeFrame NpFrame;
typedef Serviceradar__Agent__Netprobe__V1__FlowAttributionEvent NpFlowEvent;
typedef Serviceradar__Agent__Netprobe__V1__FlowAttributionEventBatch NpFlowBatch;
typedef Serviceradar__Agent__Netprobe__V1__Ping NpPing;
typedef Serviceradar__Agent__Netprobe__V1__PingAck NpPingAck;
typedef Serviceradar__Agent__Netprobe__V1__ApplyConfig NpApplyConfig;
typedef Serviceradar__Agent__Netprobe__V1__VisibilityAgentConfig NpConfig;

#define NP_FRAME_INIT        SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__INIT
#define NP_PING_INIT         SERVICERADAR__AGENT__NETPROBE__V1__PING__INIT
#define NP_APPLY_CONFIG_INIT SERVICERADAR__AGENT__NETPROBE__V1__APPLY_CONFIG__INIT
#define NP_FLOW_EVENT_INIT   SERVICERADAR__AGENT__NETPROBE__V1__FLOW_ATTRIBUTION_EVENT__INIT
#define NP_PAYLOAD(name)     SERVICERADAR__AGENT__NETPROBE__V1__NETPROBE_FRAME__PAYLOAD_##name

#define np_frame_unpack   serviceradar__agent__netprobe__v1__netprobe_frame__unpack
#define np_frame_free     serviceradar__agent__netprobe__v1__netprobe_frame__free_unpacked
#define np_frame_size     serviceradar__agent__netprobe__v1__netprobe_frame__get_packed_size
#define np_frame_pack     serviceradar__agent__netprobe__v1__netprobe_frame__pack
#define np_config_descriptor serviceradar__agent__netprobe__v1__visibility_agent_config__descriptor

enum { NP_KIND_CONNECT = 1, NP_KIND_ACCEPT, NP_KIND_CLOSE, NP_KIND_UDP_SEND, NP_KIND_UDP_RECEIVE, NP_KIND_STATE,
       NP_KIND_ICMP_SEND };
