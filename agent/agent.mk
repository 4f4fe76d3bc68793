# SPDX-License-Identifier: Apache-2.0
# serviceradar-agent, the child that fetches for it, and srctl.
AGENT_SRCS := $(wildcard agent/*.c)
SRCTL_SRCS := $(wildcard agent/srctl/*.c)
FETCH_SRCS := $(wildcard agent/fetch/*.c)

$(eval $(call program,agent/serviceradar-agent,$(AGENT_SRCS),libsystemd json-c libprotobuf-c yaml-0.1 libcap libcrypto libmicrohttpd,$(PROTO_OBJ)))
$(eval $(call program,bin/srctl,$(SRCTL_SRCS) agent/verdict.c,libsystemd json-c libprotobuf-c yaml-0.1 libcap libcrypto zlib))
$(eval $(call program,agent/agent-fetch,$(FETCH_SRCS),libcurl json-c libcrypto))

$(call objs,$(AGENT_SRCS)): | $(PROTO_H) $(BUILD)/agent/config_schema.h

# The schema as a string of the program's own.
$(BUILD)/agent/config_schema.h: agent/agent.schema.json
	$(say) GEN $@
	$(Q)mkdir -p $(@D)
	$(Q)sed -e '1i static const char config_schema[] =' -e 's/[\\"]/\\&/g; s/.*/"&\\n"/' -e '$$a ;' $< > $@.tmp && mv $@.tmp $@

INSTALL_HOOKS += install-agent

install-agent: $(BUILD)/agent/serviceradar-agent $(BUILD)/bin/srctl $(BUILD)/agent/agent-fetch
	$(say) INSTALL agent
	$(Q)$(INSTALL) -d $(DESTDIR)$(bindir) $(DESTDIR)$(libexecdir) $(DESTDIR)$(keysdir) $(DESTDIR)$(bashcompdir)
	$(Q)$(INSTALL) -m 0755 $(BUILD)/agent/serviceradar-agent $(BUILD)/bin/srctl $(DESTDIR)$(bindir)/
	$(Q)$(INSTALL) -m 0755 $(BUILD)/agent/agent-fetch $(DESTDIR)$(libexecdir)/
	$(Q)$(INSTALL) -m 0644 agent/agent.schema.json $(DESTDIR)$(datadir)/serviceradar/
	$(Q)$(INSTALL) -m 0644 agent/srctl/srctl.bash $(DESTDIR)$(bashcompdir)/srctl
	$(Q)$(INSTALL) -D -m 0644 agent/srctl/_srctl $(DESTDIR)$(zshcompdir)/_srctl

.PHONY: install-agent
