# SPDX-License-Identifier: Apache-2.0
# Add-ons as signed, versioned bundles (docs/addon.md, "Bundle"). The same tree gives the same bytes: names, times, owners and
# modes are set here, and gzip keeps neither name nor time.
BUNDLE_ARCH := $(if $(findstring x86_64,$(shell $(CC) -dumpmachine)),amd64,arm64)
BUNDLE_DIR  := $(BUILD)/bundle
STRIP       ?= $(LLVM_STRIP)

# $(call bundle,ID,BINARY)
define bundle
$(BUNDLE_DIR)/$(1)_$(VERSION)_linux_$(BUNDLE_ARCH).tar.gz: $(2) $(BUILD)/addons/$(1)/addon.yaml addons/$(1)/config.schema.json
	$$(say) BUNDLE $$@
	$(Q)rm -rf $(BUNDLE_DIR)/$(1) && $(INSTALL) -d $(BUNDLE_DIR)/$(1)
	$(Q)$(INSTALL) -m 0755 $(2) $(BUNDLE_DIR)/$(1)/
	$(Q)$(STRIP) $(BUNDLE_DIR)/$(1)/$(notdir $(2))
	$(Q)sed 's/^delivery: .*/delivery: pushed-artifact/' $(BUILD)/addons/$(1)/addon.yaml >$(BUNDLE_DIR)/$(1)/addon.yaml
	$(Q)$(INSTALL) -m 0644 addons/$(1)/config.schema.json $(BUNDLE_DIR)/$(1)/
	$(Q)mk/pack.sh $(BUNDLE_DIR)/$(1) $$@
BUNDLES += $(BUNDLE_DIR)/$(1)_$(VERSION)_linux_$(BUNDLE_ARCH).tar.gz
endef
BUNDLES :=
$(eval $(call bundle,netprobe,$(BUILD)/netprobe/serviceradar-netprobe))

## bundle: each add-on as <id>_<version>_linux_<arch>.tar.gz, not signed yet
bundle: $(BUNDLES)

## sign: sign the bundles with stock minisign, KEY=secret.key
sign: $(BUNDLES)
	$(if $(KEY),,$(error make sign needs KEY=FILE, a secret key made by minisign -G))
	$(Q)mk/sign.sh $(KEY) $(BUNDLES)

.PHONY: bundle sign
