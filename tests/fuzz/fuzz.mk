# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets, one file each, under ASan and UBSan. The corpus is in the tree; what a run finds beyond it goes to $(BUILD).
FUZZ_SECONDS ?= 600
FUZZ_SRCS    := $(wildcard tests/fuzz/*.c)
DISSECTORS   := $(shell sed -n 's/^\t{ PROTOCOL_\([A-Z0-9]*\),.*/\1/p' netprobe/dissect/dissect.c | tr '[:upper:]' '[:lower:]')
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(filter-out tests/fuzz/dissect.c,$(FUZZ_SRCS))) \
		$(DISSECTORS:%=$(BUILD)/fuzz/dissect-%)
FUZZ_LIBS    := libcrypto zlib libcap yaml-0.1 json-c libprotobuf-c libsystemd
LINT_SRCS    += $(FUZZ_SRCS)

# As of a unit test, the first lines of a target name the sources that it needs beside lib/ ("objs: helper/state.c").
fuzz_srcs = $(patsubst proto/%,$(BUILD)/proto/%,$(foreach o,$(call note,$(1),objs),$(or $(wildcard $(o)/*.c),$(o))))
$(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(LIB_SRCS) $(wildcard lib/*.h helper/*.[ch] netprobe/*.[ch] netprobe/*/*.[ch]) | $(PROTO_H)
	$(say) FUZZER $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -g -O1 -std=gnu17 $(SR_CPPFLAGS) -U_FORTIFY_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $@ $< $(call fuzz_srcs,$<) $(LIB_SRCS) $(call cflags,$(FUZZ_LIBS)) $(call libs,$(FUZZ_LIBS))

## fuzz: each libFuzzer target for FUZZ_SECONDS (600)
fuzz: $(FUZZERS)
	$(Q)tests/fuzz/run $(FUZZ_SECONDS) $(FUZZERS)

.PHONY: fuzz

# A dissector's fuzzer is told by its name.
.SECONDARY: $(BUILD)/fuzz/dissect
$(BUILD)/fuzz/dissect-%: $(BUILD)/fuzz/dissect
	$(Q)ln -f $< $@

# First inputs out of what the unit tests have.
$(BUILD)/fuzz/seeds: $(BUILD)/tests/fuzz_seeds
	$(say) SEEDS $@
	$(Q)rm -rf $@ && mkdir -p $@ && $< $@

$(BUILD)/tests/fuzz_seeds: tests/lib/fuzz_seeds.c tests/unit/samples.h tests/unit/quic_build.h $(call objs,$(wildcard netprobe/dissect/*.c))
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SR_CPPFLAGS) $(SR_CFLAGS) $(CFLAGS) $(SR_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.o,$^) $(call libs,libcrypto)
LINT_SRCS    += tests/lib/fuzz_seeds.c
fuzz: $(BUILD)/fuzz/seeds
