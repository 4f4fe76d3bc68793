# SPDX-License-Identifier: Apache-2.0
# agent-updater, the root helper. It links no network library.
HELPER_SRCS := $(wildcard helper/*.c)

$(eval $(call program,helper/agent-updater,$(HELPER_SRCS),libsystemd json-c yaml-0.1 libcap libcrypto zlib))

INSTALL_HOOKS += install-helper
install-helper: $(BUILD)/helper/agent-updater
	$(say) INSTALL helper
	$(Q)$(INSTALL) -d $(DESTDIR)$(libexecdir)
	$(Q)$(INSTALL) -m 0755 $< $(DESTDIR)$(libexecdir)/agent-updater

.PHONY: install-helper
