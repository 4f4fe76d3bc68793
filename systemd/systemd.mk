# SPDX-License-Identifier: Apache-2.0
# Units, sysusers, tmpfiles, presets and the bus name. The add-on's files have their own target: another package
# carries them.
INSTALL_HOOKS += install-systemd install-systemd-netprobe

install-systemd:
	$(say) INSTALL systemd
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(unitdir) $(presetdir) $(sysusersdir) $(tmpfilesdir) \
		$(dbusdatadir)/system.d $(dbusdatadir)/system-services $(addonsdir))
	$(Q)$(INSTALL) -m 0644 systemd/serviceradar-agent.service systemd/serviceradar-updater.service \
		systemd/serviceradar-recover.service systemd/serviceradar.slice $(DESTDIR)$(unitdir)/
	$(Q)$(INSTALL) -m 0644 systemd/90-serviceradar-agent.preset $(DESTDIR)$(presetdir)/
	$(Q)$(INSTALL) -m 0644 systemd/serviceradar.sysusers $(DESTDIR)$(sysusersdir)/serviceradar.conf
	$(Q)$(INSTALL) -m 0644 systemd/serviceradar.tmpfiles $(DESTDIR)$(tmpfilesdir)/serviceradar.conf
	$(Q)$(INSTALL) -m 0644 systemd/cloud.serviceradar.AgentUpdater1.conf $(DESTDIR)$(dbusdatadir)/system.d/
	$(Q)$(INSTALL) -m 0644 systemd/cloud.serviceradar.AgentUpdater1.service $(DESTDIR)$(dbusdatadir)/system-services/

install-systemd-netprobe:
	$(say) INSTALL systemd/netprobe
	$(Q)$(INSTALL) -d $(DESTDIR)$(unitdir) $(DESTDIR)$(presetdir)
	$(Q)$(INSTALL) -m 0644 systemd/serviceradar-netprobe.service systemd/serviceradar-netprobe.socket $(DESTDIR)$(unitdir)/
	$(Q)$(INSTALL) -m 0644 systemd/90-serviceradar-netprobe.preset $(DESTDIR)$(presetdir)/

.PHONY: install-systemd install-systemd-netprobe
