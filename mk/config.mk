# SPDX-License-Identifier: Apache-2.0
# Tools, flags, directories, and the check that what the build needs is there.

VERSION := $(shell cat VERSION)

ifeq ($(origin CC),default)
CC := gcc
endif
CLANG      ?= clang
BPFTOOL    ?= $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)
LLVM_STRIP ?= llvm-strip
PROTOC_C   ?= protoc-c
PKG_CONFIG ?= pkg-config
INSTALL    ?= install

# Where things go. A distribution may change them: units and man pages name the same paths.
prefix        ?= /usr
bindir        ?= $(prefix)/bin
libexecdir    ?= $(prefix)/libexec/serviceradar
addonsdir     ?= $(prefix)/lib/serviceradar/addons
datadir       ?= $(prefix)/share
mandir        ?= $(datadir)/man
unitdir       ?= $(prefix)/lib/systemd/system
keysdir       ?= $(datadir)/serviceradar/keys
presetdir     ?= $(prefix)/lib/systemd/system-preset
sysusersdir   ?= $(prefix)/lib/sysusers.d
tmpfilesdir   ?= $(prefix)/lib/tmpfiles.d
dbusdatadir   ?= $(datadir)/dbus-1
bashcompdir   ?= $(datadir)/bash-completion/completions
zshcompdir    ?= $(datadir)/zsh/site-functions
sysconfdir    ?= /etc

# CFLAGS and LDFLAGS belong to whoever builds; ours are kept apart.
CFLAGS  ?= -O2 -g
SR_CPPFLAGS := -I. -I$(BUILD) -D_GNU_SOURCE -DSR_VERSION='"$(VERSION)"' \
               $(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,$(if $(findstring -O0,$(CFLAGS))$(SANITIZE),,-D_FORTIFY_SOURCE=2))
SR_CFLAGS   := -std=gnu17 -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes \
               -Wvla -fstack-protector-strong -ffile-prefix-map=$(CURDIR)=. -fPIE -ffunction-sections -fdata-sections $(if $(WERROR),-Werror)
SR_LDFLAGS  := -pie -Wl,--as-needed,--gc-sections -Wl,-z,relro,-z,now,-z,noexecstack
ifneq ($(SANITIZE),)
SR_CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SR_LDFLAGS += -fsanitize=address,undefined
endif

# $(call need-tool,COMMAND,DEBIAN PACKAGE,FEDORA PACKAGE)
need-tool = $(if $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v $(1)),,$(error $(1) is missing: apt install $(2), or dnf install $(3)))
# $(call need-pkg,PKG-CONFIG NAME,DEBIAN PACKAGE,FEDORA PACKAGE)
need-pkg = $(if $(shell $(PKG_CONFIG) --exists $(1) && echo y),,$(error the library $(1) is missing: apt install $(2), or dnf install $(3)))

# Targets that build nothing need nothing.
ifneq ($(filter-out clean help deps demo check deb rpm keyring repo lint ci,$(or $(MAKECMDGOALS),all)),)
$(call need-tool,$(CC),$(CC),$(CC))
$(call need-tool,$(PKG_CONFIG),pkg-config,pkgconf-pkg-config)
$(call need-tool,$(CLANG),clang,clang)
$(call need-tool,$(LLVM_STRIP),llvm,llvm)
$(call need-tool,$(BPFTOOL),bpftool,bpftool)
$(call need-tool,$(PROTOC_C),protobuf-c-compiler,protobuf-c-compiler)
$(call need-pkg,libbpf,libbpf-dev,libbpf-devel)
$(call need-pkg,libcap,libcap-dev,libcap-devel)
$(call need-pkg,libseccomp,libseccomp-dev,libseccomp-devel)
$(call need-pkg,libsystemd,libsystemd-dev,systemd-devel)
$(call need-pkg,libcrypto,libssl-dev,openssl-devel)
$(call need-pkg,libssl,libssl-dev,openssl-devel)
$(call need-pkg,libcurl,libcurl4-openssl-dev,libcurl-devel)
$(call need-pkg,libmicrohttpd,libmicrohttpd-dev,libmicrohttpd-devel)
$(call need-pkg,zlib,zlib1g-dev,zlib-devel)
$(call need-pkg,yaml-0.1,libyaml-dev,libyaml-devel)
$(call need-pkg,json-c,libjson-c-dev,json-c-devel)
$(call need-pkg,libprotobuf-c,libprotobuf-c-dev,protobuf-c-devel)
endif
