# SPDX-License-Identifier: Apache-2.0
# netprobe.proto to C. Generated code is compiled without our warnings.
PROTO_H   := $(BUILD)/proto/netprobe.pb-c.h
PROTO_OBJ := $(BUILD)/proto/netprobe.pb-c.o

$(BUILD)/proto/netprobe.pb-c.c $(PROTO_H) &: proto/netprobe.proto
	$(say) PROTOC $@
	$(Q)mkdir -p $(BUILD)/proto
	$(Q)$(PROTOC_C) --proto_path=proto --c_out=$(BUILD)/proto netprobe.proto

$(PROTO_OBJ): $(BUILD)/proto/netprobe.pb-c.c $(PROTO_H)
	$(say) CC $@
	$(Q)$(CC) -I$(BUILD)/proto $(CPPFLAGS) -std=gnu17 -fPIE -w -ffile-prefix-map=$(CURDIR)=. $(CFLAGS) -c -o $@ $<
