# SPDX-License-Identifier: Apache-2.0
# make TARGET ARCH=arm64: the target for another architecture than this machine's, below build/ARCH. Compiled in a root file
# system of its own (mk/cross.sh), which needs root, and where nothing of this machine has to be installed for it.
CROSS_arm64 := aarch64-linux-gnu
QEMU_arm64  := qemu-aarch64-static
CROSS_TRIPLET := $(or $(CROSS_$(ARCH)),$(error ARCH=$(ARCH): only arm64 can be built here, beside this machine's own))
CROSS_BUILD := $(BUILD)/$(ARCH)
CROSS := mk/cross.sh $(ARCH)
CROSS_MAKE = $(CROSS) make --no-print-directory -j$(JOBS) BUILD=$(CROSS_BUILD) CC=$(CROSS_TRIPLET)-gcc AR=$(CROSS_TRIPLET)-ar \
	PKG_CONFIG=$(CROSS_TRIPLET)-pkg-config V=$(V) WERROR=$(WERROR)
CROSS_DEB := $(CROSS_BUILD)/deb
JOBS ?= $(shell nproc)

all bundle unit-tests:
	$(Q)$(CROSS_MAKE) $@

sign: bundle
	$(if $(KEY),,$(error make sign needs KEY=FILE, a secret key made by minisign -G))
	$(Q)mk/sign.sh $(KEY) $(CROSS_BUILD)/bundle/*.tar.gz

deb:
	$(say) DEB $(CROSS_DEB)
	$(Q)rm -rf $(CROSS_DEB) && mkdir -p $(CROSS_DEB)
	$(Q)mk/source-tree.sh $(CROSS_DEB)/source
	$(Q)$(CROSS) env -C $(CROSS_DEB)/source DEB_BUILD_OPTIONS="nocheck parallel=$(JOBS)" \
		dpkg-buildpackage -us -uc -b -a$(ARCH) -Pcross,nocheck \
		$(if $(V),,> $(CROSS_DEB)/build.log 2>&1 || { tail -n 40 $(CROSS_DEB)/build.log >&2; exit 1; })
	$(Q)rm -rf $(CROSS_DEB)/source
	@ls $(CROSS_DEB)/*.deb

check-unit: unit-tests
	$(Q)RUN="$(QEMU_$(ARCH)) -L $$($(CROSS) --root)" tests/lib/unit.sh $(CROSS_BUILD)/check \
		$(patsubst %.c,$(CROSS_BUILD)/%,$(wildcard tests/unit/test_*.c))

clean:
	$(Q)rm -rf $(CROSS_BUILD)

.PHONY: all bundle unit-tests sign deb check-unit clean
