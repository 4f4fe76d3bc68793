# SPDX-License-Identifier: Apache-2.0
# serviceradar-agent, its children that fetch and forward for it, and srctl.
AGENT_SRCS := $(wildcard agent/*.c)
SRCTL_SRCS := $(wildcard agent/srctl/*.c)
FETCH_SRCS := $(wildcard agent/fetch/*.c)
FORWARD_SRCS := $(wildcard agent/forward/*.c)

$(eval $(call program,agent/serviceradar-agent,$(AGENT_SRCS),libsystemd json-c libprotobuf-c yaml-0.1 libcap libcrypto libmicrohttpd zlib,$(PROTO_OBJ)))
$(eval $(call program,bin/srctl,$(SRCTL_SRCS) agent/verdict.c,libsystemd json-c libprotobuf-c yaml-0.1 libcap libcrypto zlib))
$(eval $(call program,agent/agent-fetch,$(FETCH_SRCS),libcurl json-c libcrypto))
$(eval $(call program,agent/agent-forward,$(FORWARD_SRCS) agent/stream.c agent/backoff.c,json-c libprotobuf-c zlib libssl libcrypto libcurl libsystemd,$(PROTO_OBJ)))

# NATS, where its library is: a program of its own, so that the others do not need it.
WITH_NATS ?= $(shell $(PKG_CONFIG) --exists libnats && echo 1)
ifneq ($(WITH_NATS),)
FORWARD_NATS_SRCS := agent/forward/main.c agent/forward/event.c $(wildcard agent/forward/nats/*.c)
$(eval $(call program,agent/agent-forward-nats,$(FORWARD_NATS_SRCS) agent/stream.c agent/backoff.c,json-c libprotobuf-c zlib libcrypto libnats,$(PROTO_OBJ)))
$(call objs,$(FORWARD_NATS_SRCS)): | $(PROTO_H)
FORWARD_NATS := $(BUILD)/agent/agent-forward-nats
endif

$(call objs,$(AGENT_SRCS) $(FORWARD_SRCS)): | $(PROTO_H) $(BUILD)/agent/config_schema.h

# The schema as a string of the program's own.
$(BUILD)/agent/config_schema.h: agent/agent.schema.json
	$(say) GEN $@
	$(Q)mkdir -p $(@D)
	$(Q)sed -e '1i static const char config_schema[] =' -e 's/[\\"]/\\&/g; s/.*/"&\\n"/' -e '$$a ;' $< > $@.tmp && mv $@.tmp $@

INSTALL_HOOKS += install-agent

install-agent: $(BUILD)/agent/serviceradar-agent $(BUILD)/bin/srctl $(BUILD)/agent/agent-fetch $(BUILD)/agent/agent-forward $(FORWARD_NATS)
	$(say) INSTALL agent
	$(Q)$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(keysdir) $(DESTDIR)$(bashcompdir)
	$(Q)$(INSTALL) -m 0755 $(BUILD)/agent/serviceradar-agent $(BUILD)/bin/srctl $(DESTDIR)$(bindir)/
	$(Q)$(INSTALL) -m 0755 $(BUILD)/agent/agent-fetch $(BUILD)/agent/agent-forward $(FORWARD_NATS) $(DESTDIR)$(libexecdir)/
	$(Q)$(INSTALL) -m 0644 agent/agent.schema.json $(DESTDIR)$(datadir)/serviceradar/
	$(Q)$(INSTALL) -m 0644 agent/srctl/srctl.bash $(DESTDIR)$(bashcompdir)/srctl
	$(Q)$(INSTALL) -D -m 0644 agent/srctl/_srctl $(DESTDIR)$(zshcompdir)/_srctl

.PHONY: install-agent
