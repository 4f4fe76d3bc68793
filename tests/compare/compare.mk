# SPDX-License-Identifier: Apache-2.0
# What netprobe says of captures beside what other programs say of them.

## compare: DIR=FOLDER, protocols and fingerprints against ndpiReader, p0f and tshark, on any captures
compare: $(BUILD)/netprobe/serviceradar-netprobe
	$(if $(DIR),,$(error say which captures: make compare DIR=FOLDER))
	$(Q)tests/compare/compare --netprobe $< $(COMPAREFLAGS) $(DIR)

.PHONY: compare
