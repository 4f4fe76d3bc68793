# SPDX-License-Identifier: Apache-2.0
# libFuzzer targets, one file each, under ASan and UBSan. The corpus is in the tree; what a run finds beyond it goes to $(BUILD).
FUZZ_SECONDS ?= 600
FUZZ_SRCS    := $(wildcard tests/fuzz/*.c)
FUZZERS      := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_SRCS))
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
