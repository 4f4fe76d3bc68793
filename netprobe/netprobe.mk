# SPDX-License-Identifier: Apache-2.0
# The daemon and its kernel programs. A program X.bpf.c becomes an object for the BPF target, without debug
# information but with BTF, and a skeleton header that carries it. BTF names source files, and must not say where they were.
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__bpf__ -Wall -Wextra -Werror -Wno-unused-parameter -Inetprobe/bpf \
              -ffile-prefix-map=$(CURDIR)=.
SKELETONS  := $(BUILD)/netprobe/attribute.skel.h $(BUILD)/netprobe/tap.skel.h $(BUILD)/netprobe/tap_plain.skel.h

$(BUILD)/netprobe/bpf/%.bpf.o: netprobe/bpf/%.bpf.c $(wildcard netprobe/bpf/*.h)
	$(say) BPF $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@.tmp $< && $(LLVM_STRIP) -g -o $@ $@.tmp && rm -f $@.tmp

$(BUILD)/netprobe/%.skel.h: $(BUILD)/netprobe/bpf/%.bpf.o
	$(say) SKEL $@
	$(Q)$(BPFTOOL) gen skeleton $< name $(*)_bpf > $@.tmp && mv $@.tmp $@

$(BUILD)/netprobe/bpf/tap_plain.bpf.o: netprobe/bpf/tap.bpf.c

.PRECIOUS: $(BUILD)/netprobe/bpf/%.bpf.o

NETPROBE_SRCS := $(wildcard netprobe/*.c netprobe/dissect/*.c netprobe/fingerprint/*.c)
NETPROBE_PKGS := libbpf libcap libseccomp libsystemd libcrypto libprotobuf-c json-c

$(call objs,$(NETPROBE_SRCS)): | $(SKELETONS) $(PROTO_H)
# libbpf's generated headers convert freely.
SKELETON_USERS := $(BUILD)/netprobe/attribute.o $(BUILD)/netprobe/attribute_ladder.o $(BUILD)/netprobe/tap_load.o
$(SKELETON_USERS): SR_CFLAGS += -Wno-conversion -Wno-sign-conversion
$(SKELETON_USERS): $(SKELETONS)

$(eval $(call program,netprobe/serviceradar-netprobe,$(NETPROBE_SRCS),$(NETPROBE_PKGS),$(PROTO_OBJ)))

INSTALL_HOOKS += install-netprobe
install-netprobe: $(BUILD)/netprobe/serviceradar-netprobe
	$(say) INSTALL netprobe
	$(Q)$(INSTALL) -d $(DESTDIR)$(addonsdir)/netprobe
	$(Q)$(INSTALL) -m 0755 $< $(DESTDIR)$(addonsdir)/netprobe/serviceradar-netprobe

.PHONY: install-netprobe
