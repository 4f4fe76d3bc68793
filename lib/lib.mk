# SPDX-License-Identifier: Apache-2.0
# What more than one program needs, as one static archive: a program takes only what it uses.
LIB_SRCS := $(wildcard lib/*.c)
DEPS += $(patsubst %.c,$(BUILD)/%.d,$(LIB_SRCS))

$(BUILD)/lib/libsr.a: $(call objs,$(LIB_SRCS))
	$(say) AR $@
	$(Q)rm -f $@ && $(AR) rcs $@ $^
