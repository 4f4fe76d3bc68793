# SPDX-License-Identifier: Apache-2.0
# How an object, an archive, a program is made. Fragments add to these lists:
#   PROGRAMS  what `make` builds;  DATA  other built files
#   INSTALL_HOOKS  the targets that install a folder's files
PROGRAMS      :=
DATA          :=
INSTALL_HOOKS :=
DEPS          :=

# $(call objs,SOURCES): their objects
objs = $(patsubst %.c,$(BUILD)/%.o,$(1))
# $(call libs,PKG-CONFIG NAMES): the link flags
libs = $(foreach p,$(1),$(shell $(PKG_CONFIG) --libs $(p)))

# $(call program,PATH BELOW BUILD,SOURCES,PKG-CONFIG NAMES): a program linked with lib/
define program
PROGRAMS += $(BUILD)/$(1)
DEPS += $(patsubst %.c,$(BUILD)/%.d,$(2))
$(BUILD)/$(1): $(call objs,$(2)) $(4) $(BUILD)/lib/libsr.a
	$$(say) LD $$@
	$(Q)mkdir -p $$(@D)
	$(Q)$$(CC) $$(SR_CFLAGS) $$(CFLAGS) $$(SR_LDFLAGS) $$(LDFLAGS) -o $$@ $$^ $$(call libs,$(3))
endef

$(BUILD)/%.o: %.c
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(SR_CPPFLAGS) $(CPPFLAGS) $(SR_CFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Text with @VERSION@ in it.
$(BUILD)/%: %.in VERSION
	$(say) GEN $@
	$(Q)mkdir -p $(@D)
	$(Q)sed 's/@VERSION@/$(VERSION)/g' $< > $@.tmp && mv $@.tmp $@
