# SPDX-License-Identifier: Apache-2.0
# What each add-on's payload holds beside its binary.
ADDONS := netprobe metrics event-file
DATA   += $(ADDONS:%=$(BUILD)/addons/%/addon.yaml)
INSTALL_HOOKS += install-addons

install-addons: $(ADDONS:%=$(BUILD)/addons/%/addon.yaml)
	$(say) INSTALL addons
	$(Q)for id in $(ADDONS); do $(INSTALL) -d $(DESTDIR)$(addonsdir)/$$id && \
		$(INSTALL) -m 0644 $(BUILD)/addons/$$id/addon.yaml addons/$$id/config.schema.json $(DESTDIR)$(addonsdir)/$$id/; done

.PHONY: install-addons
