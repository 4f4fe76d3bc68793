/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of a remote capture: an expression of pcap-filter(7), compiled by libpcap, or instructions of classic BPF. */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>

#include "lib/error.h"
#include "proto/netprobe.pb-c.h"

#define CAPTURE_EXPRESSION_MAX 4096u

typedef Serviceradar__Agent__Netprobe__V1__StartRemoteCapture CaptureRequest;

/* Which copies of a packet are wanted: a packet that the host sends is seen as outgoing. */
enum capture_pass { CAPTURE_PASS_ALL, CAPTURE_PASS_INCOMING, CAPTURE_PASS_OUTGOING };

/* The expression of a request, which may be ""; NULL when it has none. Borrowed. */
const char *capture_expression(const CaptureRequest *request);

/* Makes the request's filter into a program that the kernel takes, with `pass` before it. Opens no interface. Free program->filter.
 * A negative errno and *code, one of the error codes of docs/netprobe-ipc.md: capture_no_filter, capture_filter_invalid, or
 * capture_unavailable where libpcap is not installed. */
int capture_filter(const CaptureRequest *request, int link_type, uint32_t snaplen, enum capture_pass pass, struct sock_fprog *program,
		   const char **code, struct error *err);
