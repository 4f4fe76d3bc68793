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

# The example of docs/build-your-own-addon.md for an add-on on a timer. The tests deliver it, as a package that they make and as a
# bundle; it is in no package of ours.
SAMPLE_TIMER := $(BUILD)/addons/sample-timer/serviceradar-sample-timer
DEPS += $(BUILD)/addons/sample-timer/accounts.d

$(SAMPLE_TIMER): $(BUILD)/addons/sample-timer/accounts.o $(BUILD)/lib/libsr.a
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,json-c)

## sample-timer: the example of an add-on on a timer, its binary and its manifest
sample-timer: $(SAMPLE_TIMER) $(BUILD)/addons/sample-timer/addon.yaml

.PHONY: sample-timer
