/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are (docs/addon.md, "On disk"). All are below --root DIR where a program has that option. */
#pragma once

#define SR_USER "serviceradar"

#define SR_PACKAGED_ADDONS "/usr/lib/serviceradar/addons"       /* <id>/: payload of an OS package */
#define SR_ADDONS          "/var/lib/serviceradar/addons"       /* <id>/current, versions/, state.json, journal */
#define SR_STATE           "/var/lib/serviceradar"
#define SR_HANDOVER        "handover.json" /* in SR_STATE, while the base package is being replaced: what it was like before */
#define SR_SIDECARS        "/etc/serviceradar/sidecars"         /* <id>.json: config of the single package that add-ons were part of */
#define SR_KEYS_VENDOR     "/usr/share/serviceradar/keys"       /* *.pub of the package */
#define SR_KEYS_OPERATOR   "/etc/serviceradar/keys.d"           /* *.pub and `revoked` of the administrator */
#define SR_ASSIGNMENTS     "/etc/serviceradar/addons.d"         /* <id>.json, root:serviceradar 0640 */
#define SR_STATUS          "/run/serviceradar/addons"           /* <id>.json, written by the agent */
#define SR_SPOOL           "/var/lib/serviceradar/spool"        /* <id>/: where an add-on on a timer leaves files for the agent */
#define SR_RUN             "/run/serviceradar"                  /* <id>/bpf: where an add-on sees its directory of SR_BPFFS */
#define SR_BPFFS           "/sys/fs/bpf"
#define SR_BPFFS_BOUND     "/run/serviceradar/bpffs"            /* the same, where the updater's units show it to it for writing */
#define SR_BPFFS_DIR       "serviceradar"                       /* in SR_BPFFS: <id>/, what an add-on has pinned */
#define SR_AGENT_STATE     "/var/lib/serviceradar/agent"        /* the agent's own, 0700 */
#define SR_PUSHED          "/var/lib/serviceradar/agent/assignments.d" /* <id>.json as the fleet's management pushed them */
#define SR_BUNDLES         "/var/lib/serviceradar/agent/bundles" /* <id>.tar.gz, .minisig: fetched, not trusted */
#define SR_SINKS           "/var/lib/serviceradar/agent/sinks"  /* file/, journal/, <kind>-<name>/: what waits for a sink */
#define SR_CONFIG_DIR      "/etc/serviceradar"
#define SR_CATALOG         "/etc/serviceradar/catalog.json"     /* and .minisig */
#define SR_APPROVALS       "/etc/serviceradar/approvals.json"   /* by srctl addon approve and revoke */
#define SR_AGENT_CONFIG    "/etc/serviceradar/agent.json"
#define SR_AGENT_SOCKET    "/run/serviceradar/agent/agent.sock" /* 0660 serviceradar:serviceradar */
#define SR_EVENTS_FILE     "/var/log/serviceradar/events.ndjson"
#define SR_UNITS_PACKAGED  "/usr/lib/systemd/system"
#define SR_UNITS_RENDERED  "/etc/systemd/system"
#define SR_LOCK            "/run/serviceradar/updater.lock"

#define SR_FETCH        "/usr/libexec/serviceradar/agent-fetch"
#define SR_FORWARD      "/usr/libexec/serviceradar/agent-forward" /* and agent-forward-nats */
#define SR_UPDATER      "/usr/libexec/serviceradar/agent-updater"
#define SR_BUS_NAME     "cloud.serviceradar.AgentUpdater1"
#define SR_BUS_PATH     "/cloud/serviceradar/AgentUpdater1"
#define SR_BUS_ERROR    SR_BUS_NAME ".Error"

#define SR_UNIT_PREFIX "serviceradar-" /* unit of an add-on: serviceradar-<id>.service */
