# SPDX-License-Identifier: Apache-2.0
INSTALL_HOOKS += install-man

install-man:
	$(say) INSTALL man
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR)$(mandir)/,man1 man5 man8)
	$(Q)$(foreach n,1 5 8,$(INSTALL) -m 0644 man/*.$(n) $(DESTDIR)$(mandir)/man$(n)/ &&) :

.PHONY: install-man
