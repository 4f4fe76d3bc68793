# SPDX-License-Identifier: Apache-2.0
# What each add-on's payload holds beside its binary.
DATA += $(BUILD)/addons/netprobe/addon.yaml
INSTALL_HOOKS += install-addons

install-addons: $(BUILD)/addons/netprobe/addon.yaml
	$(say) INSTALL addons
	$(Q)$(INSTALL) -d $(DESTDIR)$(addonsdir)/netprobe
	$(Q)$(INSTALL) -m 0644 $(BUILD)/addons/netprobe/addon.yaml addons/netprobe/config.schema.json $(DESTDIR)$(addonsdir)/netprobe/

.PHONY: install-addons
