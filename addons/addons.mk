# SPDX-License-Identifier: Apache-2.0
# What each add-on's payload holds beside its binary.
ADDONS := netprobe metrics event-file
DATA += $(ADDONS:%=$(BUILD)/addons/%/addon.yaml)
INSTALL_HOOKS += $(ADDONS:%=install-addon-%)

$(ADDONS:%=install-addon-%): install-addon-%: $(BUILD)/addons/%/addon.yaml
	$(say) INSTALL addons/$*
	$(Q)$(INSTALL) -d $(DESTDIR)$(addonsdir)/$*
	$(Q)$(INSTALL) -m 0644 $(BUILD)/addons/$*/addon.yaml addons/$*/config.schema.json $(DESTDIR)$(addonsdir)/$*/

.PHONY: $(ADDONS:%=install-addon-%)
