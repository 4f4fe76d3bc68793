# SPDX-License-Identifier: Apache-2.0
# The signed apt and rpm repositories, and the package of their public keys (docs/repository.md).
REPO      ?= $(BUILD)/repo
REPO_URL  ?= https://packages.serviceradar.cloud
# The suite that build/deb was built for, the tree that build/rpm was built for.
SUITE     ?= $(shell . /etc/os-release && echo $$VERSION_CODENAME)
RPM_TREE  ?= $(or $(shell rpm -E '%{?fedora:fedora/%fedora}%{!?fedora:%{?rhel:el/%rhel}}' 2>/dev/null),el/9)
# The suites for which the keyring package has an entry.
SUITES    ?= bookworm trixie jammy noble
KEYS      ?= keys

## keyring: the package of the public keys in keys/, deb and rpm, into build/keyring
keyring:
	$(say) KEYRING $(BUILD)/keyring
	$(Q)mk/repo/keyring.sh $(KEYS) $(BUILD)/keyring $(REPO_URL) '$(SUITES)'

## repo: publish build/deb, build/rpm and build/keyring in the signed repositories of REPO=, KEY=fingerprint
repo:
	$(if $(KEY),,$(error make repo needs KEY=FINGERPRINT, a secret key that gpg has))
	$(Q)mk/repo/publish.sh --repo $(REPO) --key $(KEY) --url $(REPO_URL) $(if $(KEEP),--keep $(KEEP)) $(if $(VALID_DAYS),--valid-days $(VALID_DAYS)) \
		$(if $(wildcard $(BUILD)/deb/*.deb),--suite $(SUITE) --debs $(BUILD)/deb) \
		$(if $(wildcard $(BUILD)/rpm/*.rpm),--tree $(RPM_TREE) --rpms $(BUILD)/rpm) \
		$(if $(wildcard $(BUILD)/keyring/*.gpg),--keyring $(BUILD)/keyring)

.PHONY: keyring repo

LINT_SHELL += $(wildcard mk/repo/*.sh) tests/package/repo.bash tests/package/proof.bash tests/proof/common.bash tests/bench/install tests/bench/capture

## check-proof: piuparts, autopkgtest, images and sizes against the distribution itself: needs its package sources (as root)
check-proof: deb
	$(Q)tests/lib/bats.sh $(BUILD)/proof tests/proof/deb.bats

.PHONY: check-proof
