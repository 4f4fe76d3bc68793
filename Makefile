# SPDX-License-Identifier: Apache-2.0
# One Makefile, no recursion: every folder adds its part in a fragment named after it.
# Start with `make help`.

.DEFAULT_GOAL := all

BUILD ?= build
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-8s %s\n'
endif

ifneq ($(ARCH),)
include mk/cross.mk
else
include mk/config.mk
include mk/rules.mk

include lib/lib.mk
include proto/proto.mk
include netprobe/netprobe.mk
include helper/helper.mk
include agent/agent.mk
include addons/addons.mk
include systemd/systemd.mk
include man/man.mk
include mk/bundle.mk
include mk/package.mk
include mk/lint.mk
include mk/repo.mk
include tests/tests.mk
include tests/fuzz/fuzz.mk
include tests/compare/compare.mk

## all: build the programs (the default)
all: $(PROGRAMS) $(DATA)

## install: install everything below DESTDIR
install: all $(INSTALL_HOOKS)

## clean: remove what was built (not the downloads in .cache)
clean:
	$(Q)rm -rf $(BUILD)

## help: this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST) | sort | awk -F': ' '{printf "  make %-14s %s\n", $$1, $$2}'
	@echo
	@echo "  V=1 shows the commands, CC=clang picks the compiler, WERROR=1 makes warnings errors."

.PHONY: all install clean help

-include $(DEPS)
endif
