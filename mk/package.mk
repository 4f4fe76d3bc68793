# SPDX-License-Identifier: Apache-2.0
# Packages, built from a copy of the source below $(BUILD).
SOURCE_DATE_EPOCH ?= $(shell dpkg-parsechangelog -STimestamp 2>/dev/null || date -r debian/changelog +%s)
JOBS ?= $(shell nproc)
tar_reproducible = tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw --mtime=@$(SOURCE_DATE_EPOCH) -cf -
# Beside each package what is in it and what it needs, as SPDX.
SBOM = SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) mk/sbom.py
RPMLOAD = $(if $(findstring %,$(shell rpm -E '%_unitdir')),--nodeps --load=$(CURDIR)/rpm/macros.elsewhere)
RPMFLAGS = $(RPMLOAD) --define "use_source_date_epoch_as_buildtime 1" --define "clamp_mtime_to_source_date_epoch 1" --define "_buildhost localhost"
# The source package carries the spec as it was expanded: without a folder or a number of this machine in it.
RPMSPEC = serviceradar-$(VERSION)/rpm/serviceradar.spec

## deb: build the Debian packages into build/deb
deb:
	$(say) DEB $(BUILD)/deb
	$(Q)rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb
	$(Q)SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) mk/source-tree.sh $(BUILD)/deb/serviceradar-$(VERSION)
	$(Q)cd $(BUILD)/deb && $(tar_reproducible) --exclude=serviceradar-$(VERSION)/debian serviceradar-$(VERSION) | \
		gzip -9n > serviceradar_$(VERSION).orig.tar.gz
	$(Q)cd $(BUILD)/deb/serviceradar-$(VERSION) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) \
		DEB_BUILD_OPTIONS="nocheck parallel=$(JOBS)" DEB_BUILD_PROFILES=nocheck \
		dpkg-buildpackage -us -uc $(if $(V),,> ../build.log 2>&1 || { tail -n 40 ../build.log >&2; exit 1; })
	$(Q)rm -rf $(BUILD)/deb/serviceradar-$(VERSION)
	$(Q)$(SBOM) $$(ls $(BUILD)/deb/*.deb | grep -v -e -dbgsym_)
	@ls $(BUILD)/deb/*.deb

## rpm: build the RPM packages into build/rpm
rpm:
	$(say) RPM $(BUILD)/rpm
	$(Q)rm -rf $(BUILD)/rpm && mkdir -p $(BUILD)/rpm/top/SOURCES
	$(Q)SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) mk/source-tree.sh $(BUILD)/rpm/serviceradar-$(VERSION)
	$(Q)umask 022 && cd $(BUILD)/rpm && $(tar_reproducible) serviceradar-$(VERSION) | gzip -9n > top/SOURCES/serviceradar-$(VERSION).tar.gz
	$(Q)cd $(BUILD)/rpm && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) rpmbuild $(RPMFLAGS) \
		--define "_topdir $(abspath $(BUILD))/rpm/top" --define "_smp_mflags -j$(JOBS)" -bb $(RPMSPEC) \
		$(if $(V),,> build.log 2>&1 || { tail -n 40 build.log >&2; exit 1; })
	$(Q)cd $(BUILD)/rpm/top && SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) rpmbuild $(RPMFLAGS) \
		--define "_topdir ." --define "_smp_mflags %{nil}" -bs ../$(RPMSPEC) >>../build.log 2>&1
	$(Q)cd $(BUILD)/rpm && mv top/RPMS/*/*.rpm top/SRPMS/*.rpm . && rm -rf top serviceradar-$(VERSION)
	$(Q)$(SBOM) $$(ls $(BUILD)/rpm/*.rpm | grep -v -e '\.src\.rpm' -e -debug)
	@ls $(BUILD)/rpm/*.rpm

## demo: install into a throw-away container, watch real connections (HOST=1: on this host)
demo:
	$(Q)./tests/demo.sh

## deps: install what build, tests, lint and demo need (as root)
deps:
	$(Q)mk/install-deps.sh

.PHONY: deb rpm demo deps
