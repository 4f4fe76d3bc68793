# SPDX-License-Identifier: Apache-2.0
# Unit tests: every tests/unit/test_X.c is one program. Its first lines may name, in comments, the sources it needs beside
# lib/ ("objs: helper/state.c", a folder for all in it) and pkg-config libraries ("pkgs: libsystemd").
UNIT_SRCS  := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRCS))
UNIT_PKGS  := cmocka libcrypto zlib libcap yaml-0.1 json-c libprotobuf-c
DEPS       += $(patsubst %.c,$(BUILD)/%.d,$(UNIT_SRCS))

note = $(shell sed -n '1,8s,^/\* $(2): \(.*\) \*/$$,\1,p' $(1))
unit_objs = $(patsubst $(BUILD)/proto/netprobe.pb-c.o,$(PROTO_OBJ),$(call objs,$(foreach o,$(call note,$(1),objs),$(or $(wildcard $(o)/*.c),$(o)))))

define unit_test
$(BUILD)/$(1): $(BUILD)/$(1).o $(call unit_objs,$(1).c) $(BUILD)/lib/libsr.a
	$$(say) LD $$@
	$(Q)$$(CC) $$(SR_CFLAGS) $$(CFLAGS) $$(SR_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(call libs,$(sort $(UNIT_PKGS) $(call note,$(1).c,pkgs)))
$(BUILD)/$(1).o: | $(PROTO_H)
endef
$(foreach t,$(UNIT_SRCS),$(eval $(call unit_test,$(basename $(t)))))

# A client of netprobe's socket, for tests/live.
IPC_CLIENT := $(BUILD)/tests/ipc-client
$(IPC_CLIENT): $(BUILD)/tests/live/ipc_client.o $(PROTO_OBJ) $(BUILD)/lib/libsr.a
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,$(UNIT_PKGS))
$(BUILD)/tests/live/ipc_client.o: | $(PROTO_H)
DEPS += $(BUILD)/tests/live/ipc_client.d

# Appends to a sink's queue, for tests/live.
QUEUE_FEED := $(BUILD)/tests/queue-feed
$(QUEUE_FEED): $(BUILD)/tests/live/queue_feed.o $(BUILD)/agent/stream.o $(PROTO_OBJ) $(BUILD)/lib/libsr.a
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,libcrypto zlib json-c libprotobuf-c)
$(BUILD)/tests/live/queue_feed.o: | $(PROTO_H)
DEPS += $(BUILD)/tests/live/queue_feed.d
LINT_SRCS += tests/live/queue_feed.c

# Our validator of JSON Schema, for tests/package/schema.bats.
SCHEMA_VALIDATE := $(BUILD)/tests/schema-validate
$(SCHEMA_VALIDATE): $(BUILD)/tests/schema/validate.o $(BUILD)/lib/libsr.a
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,json-c)
DEPS += $(BUILD)/tests/schema/validate.d
LINT_SRCS += tests/schema/validate.c

# The tap alone, for tests/live and tests/bench.
TAP_CLIENT := $(BUILD)/tests/tap-client
$(TAP_CLIENT): $(BUILD)/tests/live/tap_client.o $(call objs,$(wildcard netprobe/tap*.c) netprobe/pins.c netprobe/fdstore.c) $(BUILD)/lib/libsr.a
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,libbpf libsystemd $(UNIT_PKGS))
DEPS += $(BUILD)/tests/live/tap_client.d
LINT_SRCS += tests/live/tap_client.c

# What the tap costs, beside a reference of its own.
TAP_BENCH := $(BUILD)/tests/tap-bench
$(BUILD)/tests/bench/tcx.bpf.o: tests/bench/tcx.bpf.c netprobe/bpf/vmlinux_tap.h
	$(say) BPF $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@.tmp $< && $(LLVM_STRIP) -g -o $@ $@.tmp && rm -f $@.tmp
$(BUILD)/tests/bench/tcx.skel.h: $(BUILD)/tests/bench/tcx.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name tcx_bpf > $@.tmp && mv $@.tmp $@
$(BUILD)/tests/bench/tap.o: $(BUILD)/tests/bench/tcx.skel.h
$(BUILD)/tests/bench/tap.o: SR_CFLAGS += -Wno-conversion -Wno-sign-conversion
$(TAP_BENCH): $(BUILD)/tests/bench/tap.o $(call objs,$(wildcard netprobe/tap*.c) netprobe/pins.c netprobe/fdstore.c) $(BUILD)/lib/libsr.a
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,libbpf libsystemd $(UNIT_PKGS))
DEPS += $(BUILD)/tests/bench/tap.d

# Counts, kills at and fails system calls, for tests/crash.
SYSCALLS := $(BUILD)/tests/syscalls
$(SYSCALLS): $(BUILD)/tests/crash/syscalls.o
	$(say) LD $@
	$(Q)$(CC) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $^ $(call libs,libseccomp)
DEPS += $(BUILD)/tests/crash/syscalls.d
LINT_SRCS += tests/crash/syscalls.c

## check-unit: build and run the unit tests
check-unit: $(UNIT_TESTS)
	$(Q)tests/lib/unit.sh $(BUILD)/check $(UNIT_TESTS)

unit-tests: $(UNIT_TESTS)

.PHONY: check-unit unit-tests

## check-arm64: packages and bundle for arm64, and their programs under emulation (as root)
check-arm64:
	$(Q)$(MAKE) --no-print-directory WERROR=1 ARCH=arm64 all bundle unit-tests deb
	$(Q)bats tests/package/arm64.bats

.PHONY: check-arm64

## check-crash: the updater killed at, and failed by, every one of its system calls (as root)
check-crash: $(BUILD)/helper/agent-updater $(SYSCALLS)
	$(Q)tests/crash/crash --build $(BUILD) $(CRASHFLAGS)

.PHONY: check-crash

## check-matrix: every way of installing, upgrading and removing, deb and rpm, from every state (as root)
check-matrix:
	$(Q)[ -n "$$(ls $(BUILD)/deb/*.deb 2>/dev/null)" ] || $(MAKE) --no-print-directory deb
	$(Q)[ -n "$$(ls $(BUILD)/rpm/*.rpm 2>/dev/null)" ] || $(MAKE) --no-print-directory rpm
	$(Q)tests/package/matrix $(BUILD)

.PHONY: check-matrix
LINT_SHELL += tests/package/matrix tests/package/matrix-host tests/package/previous tests/package/legacy/build tests/package/legacy/postinst

## check-broken: one line broken for each requirement, and its test must see it (as root; hours; IDS="NP-1 DL-3" for some)
check-broken:
	$(Q)tests/broken/broken $(IDS)

.PHONY: check-broken
LINT_SHELL += tests/broken/broken

## check-kernels: the live tests on other kernels, for each rung of the ladder, in emulated machines (as root; an hour)
check-kernels: $(BUILD)/netprobe/serviceradar-netprobe $(IPC_CLIENT) $(TAP_CLIENT)
	$(Q)tests/kernels/matrix $(BUILD) $(KERNELS)

.PHONY: check-kernels
LINT_SHELL += tests/kernels/matrix tests/kernels/fetch tests/kernels/initrd tests/kernels/init

## check: install what is needed, build with both compilers, run every test (as root)
check: deps
	$(Q)$(MAKE) --no-print-directory WERROR=1 CC=clang BUILD=$(BUILD)/clang all
	$(Q)$(MAKE) --no-print-directory WERROR=1 all
	$(Q)$(MAKE) --no-print-directory lint-shell lint-man lint-docs lint-openspec lint-c
	$(Q)$(MAKE) --no-print-directory deb
	$(Q)$(MAKE) --no-print-directory rpm
	$(Q)$(MAKE) --no-print-directory WERROR=1 $(BUILD)/tests/ipc-client $(BUILD)/tests/tap-client $(BUILD)/tests/syscalls $(BUILD)/tests/schema-validate $(BUILD)/tests/queue-feed sample-timer bundle
	$(Q)$(MAKE) --no-print-directory WERROR=1 ARCH=arm64 all bundle unit-tests deb
	$(Q)tests/lib/check.sh $(BUILD)

.PHONY: check

## check-soak: a day of the agent's life in six minutes: assignments flip, units crash, sinks are gone (as root)
check-soak:
	$(Q)SOAK_HOURS=24 bats --tap tests/package/soak.bats

.PHONY: check-soak

## check-flood: a minute of UDP from and to random ports for each tap (as root)
check-flood: $(TAP_CLIENT)
	$(Q)BUILD=$(BUILD) FLOOD_SECONDS=60 FLOOD_TAPS=3 bats --tap -f 'flood' tests/live/tap.bats

.PHONY: check-flood
