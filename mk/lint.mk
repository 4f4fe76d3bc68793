# SPDX-License-Identifier: Apache-2.0
# Every finding fails. What is suppressed has its reason beside it: here, in .clang-tidy, in the overrides of
# lintian and rpmlint.
LINT_SRCS = $(filter-out %.bpf.c,$(wildcard lib/*.c netprobe/*.c netprobe/*/*.c helper/*.c agent/*.c agent/*/*.c addons/*/*.c))
LINT_SHELL = $(wildcard mk/*.sh tests/*.sh tests/coverage tests/rpm/stand-in tests/lib/ct tests/lib/rootfs tests/lib/repo tests/lib/poll.bash tests/live/common.bash tests/live/forward.bash tests/package/common.bash tests/package/sample-package tests/bench/booted.bash tests/bench/idle tests/bench/agent tests/bench/outage tests/bench/tap tests/*/*.sh .ci/run debian/tests/smoke debian/*.postinst debian/*.prerm debian/*.postrm tests/bench/attribution tests/bench/read)
# missingInclude, missingIncludeSystem: cppcheck reads no system headers.  unusedFunction is not on: lib/ is an API.
# preprocessorErrorDirective: so it does not know protobuf-c's version.  varFuncNullUB: NULL is a pointer in C, on glibc and
# musl; the sentinel attribute has both compilers check the calls.
# normalCheckLevelMaxBranches: says only how deep it looked.  unmatchedSuppression: versions differ in what they find.
CPPCHECK = cppcheck --quiet --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
	--suppress=missingInclude --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
	--suppress=preprocessorErrorDirective:$(BUILD)/proto/* --suppress=varFuncNullUB \
	--suppress=normalCheckLevelMaxBranches -D_GNU_SOURCE '-DSR_VERSION="$(VERSION)"' -I. -I$(BUILD)

## lint: every linter, any finding fails
lint: lint-shell lint-man lint-docs lint-openspec lint-c lint-deb lint-rpm

lint-shell:
	$(say) LINT shell
	$(Q)shellcheck $(LINT_SHELL)

# Not -Wstyle: it asks the host's index of manuals, so its answer would depend on what is installed.
lint-man:
	$(say) LINT man
	$(Q)mandoc -Tlint -Wwarning man/*.[158]
	$(Q)for page in man/*.[158]; do \
		said=$$(LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l $$page 2>&1 >/dev/null); \
		[ -z "$$said" ] || { echo "$$page: $$said" >&2; exit 1; }; \
	done

lint-docs:
	$(say) LINT docs
	$(Q)tests/lib/links.py *.md docs/*.md
	$(Q)promtool check rules docs/prometheus/serviceradar.rules.yml >/dev/null
	$(Q)promtool test rules docs/prometheus/serviceradar.test.yml >/dev/null

lint-openspec:
	$(say) LINT openspec
	$(Q)mk/openspec.sh validate migrate-netprobe-to-native-addon --strict --no-interactive
	$(Q)mk/openspec.sh validate --specs --strict --no-interactive

# One compiler per file and core; both read the generated headers, so the programs are built first.
lint-c: $(PROGRAMS)
	$(say) LINT clang-tidy
	$(Q)printf '%s\n' $(LINT_SRCS) | xargs -P $$(nproc) -n 1 mk/tidy.sh $(BUILD) $(VERSION)
	$(say) LINT cppcheck
	$(Q)$(CPPCHECK) $(LINT_SRCS)

lint-deb:
	$(say) LINT lintian
	$(Q)ls $(BUILD)/deb/*.changes >/dev/null 2>&1 || $(MAKE) deb
	$(Q)lintian --pedantic -E -I --fail-on error,warning,info,pedantic,experimental --allow-root $(BUILD)/deb/*.changes

lint-rpm:
	$(say) LINT rpmlint
	$(Q)ls $(BUILD)/rpm/*.rpm >/dev/null 2>&1 || $(MAKE) rpm
	$(Q)rpmlint --config rpm/serviceradar.rpmlintrc.toml $(BUILD)/rpm/*.rpm rpm/serviceradar.spec

.PHONY: lint lint-shell lint-man lint-docs lint-openspec lint-c lint-deb lint-rpm
