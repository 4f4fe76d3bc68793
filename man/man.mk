# SPDX-License-Identifier: Apache-2.0
INSTALL_HOOKS += install-man

install-man:
	$(say) INSTALL man
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR)$(mandir)/,man1 man5 man8)
	$(Q)$(INSTALL) -m 0644 man/srctl.1 $(DESTDIR)$(mandir)/man1/
	$(Q)$(INSTALL) -m 0644 man/serviceradar-addon.5 man/serviceradar-agent.json.5 $(DESTDIR)$(mandir)/man5/
	$(Q)$(INSTALL) -m 0644 man/agent-fetch.8 man/agent-forward.8 man/agent-updater.8 man/serviceradar-agent.8 man/serviceradar-netprobe.8 $(DESTDIR)$(mandir)/man8/

.PHONY: install-man
