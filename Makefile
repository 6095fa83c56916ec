# SPDX-License-Identifier: GPL-2.0
#
# Everything a person types (make help). The kernel modules have their own
# makefile, Kbuild; they are built in build/module/NAME/, one directory for each
# kernel, so that several kernels do not tread on each other.

# The kernel to build the module for: KERNEL=NAME is one of tests/vm/kernel
# (stock-6.12, debug-um, debug-x86), KDIR=DIR any kernel's build directory. Some of
# the former are built for in a tree of another release of Debian, KCHROOT.
ifdef KERNEL
KDIR	:= $(shell tests/vm/kernel $(KERNEL) kdir)
KARCH	:= $(shell tests/vm/kernel $(KERNEL) arch)
KCHROOT	:= $(shell tests/vm/kernel $(KERNEL) chroot)
ifeq ($(KDIR),)
$(error no kernel called $(KERNEL))
endif
KNAME	?= $(KERNEL)
else
KDIR	?= /lib/modules/$(shell uname -r)/build
KNAME	?= $(or $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null),none)
endif
MODDIR	:= build/module/$(KNAME)

DESTDIR	?=
PREFIX	?= /usr
SYSCONFDIR ?= /etc
UNITDIR	?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
MODULESLOADDIR ?= $(PREFIX)/lib/modules-load.d
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions

CC	?= gcc
CFLAGS	?= -O2 -g
STRIP	?= strip

# KEYLOG=1: an agent that can be told to write down secrets, for debugging. It never
# lies where the ordinary one does.
keylog	:= $(filter 1 y yes,$(KEYLOG))
BUILD	?= build/$(if $(keylog),keylog,user)

USER_CFLAGS	= -std=gnu11 -Wall -Wextra $(if $(WERROR),-Werror) -Iinclude/uapi -Icommon -pthread \
		  -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE -MMD -MP \
		  $(if $(keylog),-DKSEAL_KEYLOG)
USER_LDFLAGS	= -pthread -pie -Wl,-z,relro,-z,now
AGENT_LIBS	= gnutls libnl-3.0 libnl-genl-3.0 libsystemd libconfuse libseccomp libmicrohttpd
TOOLS_LIBS	= libnl-3.0 libnl-genl-3.0 libseccomp jansson
AGENT_OBJS	= $(patsubst %.c,$(BUILD)/%.o,$(wildcard agent/*.c common/*.c))
TOOLS_OBJS	= $(patsubst %.c,$(BUILD)/%.o,$(wildcard tools/*.c common/*.c))

# The binaries lie beside their sources, except in a build directory of one's own.
ifeq ($(BUILD),build/user)
KSEALD	:= agent/kseald
KSEAL	:= tools/kseal
else
KSEALD	:= $(BUILD)/kseald
KSEAL	:= $(BUILD)/kseal
endif

# kbuild's way of being quiet; V=1 shows the commands
ifneq ($(V),1)
say_CC	= @echo '  CC      $@';
say_LD	= @echo '  LD      $@';
endif

HAVE_KDIR := $(wildcard $(KDIR)/Makefile)

.PHONY: all
all: user $(if $(HAVE_KDIR),module,no-headers)

.PHONY: help
help:
	@echo 'Build'
	@echo '  make             kseal.ko for the running kernel, kseald, kseal'
	@echo '  make KDIR=DIR    the same for another kernel: its build directory'
	@echo '  make module      kseal.ko alone (also KERNEL=stock-6.12, stock-7)'
	@echo '  make user        kseald and kseal alone (KEYLOG=1: in build/keylog, an agent that'
	@echo '                   can write down secrets, for debugging)'
	@echo '  make check-config  what a kernel lacks for kseal.ko (also KDIR=, KERNEL=)'
	@echo '  make install     all of it into the system (DESTDIR, PREFIX=$(PREFIX));'
	@echo '                   also install-module, install-user, uninstall'
	@echo '  make clean       remove what was built (cached kernels stay)'
	@echo 'Try'
	@echo '  make demo        unmodified servers speak TLS on a stock Debian kernel,'
	@echo '                   in a virtual machine; HOST=1: on this machine'
	@echo 'Test'
	@echo '  make check       what CI runs: of all that is below but packages and bench, on every'
	@echo '                   kernel that it is for; of the longest, a part'
	@echo '  make static      compiler warnings, sparse, checkpatch, kernel-doc, ...'
	@echo '  make unit        unit tests of the agent and the tools'
	@echo '  make runner      what runs the guests of all that follows'
	@echo '  make kunit       unit tests of the module, on the debug kernel'
	@echo '  make records     the record layer against a peer that breaks the rules'
	@echo '  make packages    the Debian packages: built, installed and used on the stock kernel'
	@echo '  make service     the agent as its unit runs it, under a real systemd'
	@echo '  make faults      each allocation fails once, on the debug kernel'
	@echo '  make fuzz        a million random records, read and written, on the debug kernel'
	@echo '                   (FUZZ="-n RECORDS -s SEED"); make fuzz-short: for a minute'
	@echo '  make nicsim      TLS through simulated network cards that seal and open records'
	@echo '  make offload     kseal through the same cards'
	@echo '  make e2e         end to end, on the stock kernel in QEMU'
	@echo '                   (records, e2e; nicsim, offload, all of them: KERNEL=stock-7: on another)'
	@echo '  make selftests   the kernel'"'"'s own test of its TLS, on tls.ko and on kseal.ko, case'
	@echo '                   by case, on 6.1, 6.12 and 7 (KERNEL=stock-7: on one)'
	@echo '  make e2e-debug   the same under KASAN, lockdep and kmemleak on user-mode'
	@echo '                   Linux; DEBUG=x86: in QEMU, with several processors'
	@echo '  make interop     other TLS implementations and unmodified servers, everything;'
	@echo '                   writes Documentation/interop.md'
	@echo '  make bench       what a record layer costs: kseal, the kernel'"'"'s tls, OpenSSL and'
	@echo '                   GnuTLS side by side (BENCH=--help: options)'
	@echo '  make bench-handshakes  what a handshake costs kseal, nginx, hitch, HAProxy and others'
	@echo '                   (BENCH=--time: time instead of instructions)'
	@echo '  make deps        install what building needs (Debian); tests/deps: also what testing needs'

# ---- module -----------------------------------------------------------------

# Links to the sources instead of copies: an edit counts at once, and what kbuild
# writes stays out of the tree.
.PHONY: module
module:
	$(if $(HAVE_KDIR),,@$(MAKE) --no-print-directory no-headers; exit 1)
	@kernel/compat/check-config $(KDIR) >/dev/null || kernel/compat/check-config $(KDIR)
	@mkdir -p build/module
	+@flock build/module/$(KNAME).lock $(MAKE) --no-print-directory module-locked

.PHONY: module-locked
module-locked:
	@[ "$$(cat $(MODDIR)/.kdir 2>/dev/null)" = "$(KDIR)" ] || \
		{ rm -rf $(MODDIR); mkdir -p $(MODDIR); echo "$(KDIR)" >$(MODDIR)/.kdir; }
	@find $(MODDIR) -xtype l -delete
	@cp -dRsf $(CURDIR)/Kbuild $(CURDIR)/kernel $(CURDIR)/include $(MODDIR)/
	@mkdir -p $(MODDIR)/tests && cp -dRsf $(CURDIR)/tests/nicsim $(MODDIR)/tests/
	+@$(if $(KCHROOT),tests/vm/chroot $(KCHROOT) make,$(MAKE)) --no-print-directory \
		-C $(patsubst $(KCHROOT)%,%,$(KDIR)) M=$(CURDIR)/$(MODDIR) $(if $(KARCH),ARCH=$(KARCH)) \
		CONFIG_DEBUG_INFO_BTF_MODULES= $(if $(KSEAL_NICSIM),KSEAL_NICSIM=1) modules
	@echo "built $(MODDIR)/kseal.ko"

# The modules together with the simulated network card of tests/nicsim.
.PHONY: nicsim-module
nicsim-module:
	+@$(MAKE) --no-print-directory module KSEAL_NICSIM=1

.PHONY: check-config
check-config:
	@kernel/compat/check-config $(KDIR)

.PHONY: no-headers
no-headers:
	@echo
	@echo 'No module was built: $(KDIR) holds no kernel headers.'
	@echo '  for the running kernel:  apt-get install linux-headers-'"$$(uname -r)"
	@echo '  for another one:         make KDIR=/lib/modules/VERSION/build'
	@echo '  to try it without any:   make demo'

# ---- userspace --------------------------------------------------------------

.PHONY: user
user: $(KSEALD) $(KSEAL)

$(KSEALD): $(AGENT_OBJS)
	$(say_LD)$(CC) $(CFLAGS) $(USER_LDFLAGS) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs $(AGENT_LIBS))

$(KSEAL): $(TOOLS_OBJS)
	$(say_LD)$(CC) $(CFLAGS) $(USER_LDFLAGS) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs $(TOOLS_LIBS))

$(BUILD)/agent/%.o: agent/%.c Makefile | $(BUILD)/libraries
	@mkdir -p $(@D)
	$(say_CC)$(CC) $(USER_CFLAGS) $$(pkg-config --cflags $(AGENT_LIBS)) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(BUILD)/tools/%.o: tools/%.c Makefile | $(BUILD)/libraries
	@mkdir -p $(@D)
	$(say_CC)$(CC) $(USER_CFLAGS) $$(pkg-config --cflags $(TOOLS_LIBS)) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

$(BUILD)/libraries:
	@command -v pkg-config >/dev/null && pkg-config --exists --print-errors $(AGENT_LIBS) $(TOOLS_LIBS) || \
		{ echo 'Libraries are missing: make deps installs them.'; exit 1; }
	@mkdir -p $(@D) && touch $@

$(BUILD)/common/%.o: common/%.c Makefile
	@mkdir -p $(@D)
	$(say_CC)$(CC) $(USER_CFLAGS) $(CFLAGS) $(CPPFLAGS) -c -o $@ $<

-include $(AGENT_OBJS:.o=.d) $(TOOLS_OBJS:.o=.d)

# ---- installation -----------------------------------------------------------

.PHONY: install install-module install-modules-load install-user uninstall
install: install-user install-module install-modules-load

install-module: module
	for m in kseal kseal_offload; do \
		[ -e $(MODDIR)/$$m.ko ] || continue; \
		install -D -m 644 $(MODDIR)/$$m.ko $(DESTDIR)/lib/modules/$(KRELEASE)/updates/$$m.ko && \
		$(STRIP) --strip-debug $(DESTDIR)/lib/modules/$(KRELEASE)/updates/$$m.ko || exit; done
	$(if $(DESTDIR),,depmod -a $(KRELEASE))

install-user: user
	install -D -m 755 $(KSEALD) $(DESTDIR)$(PREFIX)/sbin/kseald
	install -D -m 755 $(KSEAL) $(DESTDIR)$(PREFIX)/bin/kseal
	install -D -m 644 include/uapi/linux/kseal.h $(DESTDIR)$(PREFIX)/include/linux/kseal.h
	install -D -m 644 agent/kseald.conf.example $(DESTDIR)$(SYSCONFDIR)/kseal/kseald.conf.example
	for b in tools/bpftrace/*.bt; do \
		install -D -m 755 -t $(DESTDIR)$(PREFIX)/share/kseal $$b || exit; done
	install -D -m 644 -t $(DESTDIR)$(UNITDIR) systemd/*.service
	install -D -m 644 systemd/kseal.sysusers $(DESTDIR)$(SYSUSERSDIR)/kseal.conf
	install -D -m 644 systemd/kseal.tmpfiles $(DESTDIR)$(TMPFILESDIR)/kseal.conf
	install -D -m 644 tools/completion/kseal.bash $(DESTDIR)$(BASHCOMPDIR)/kseal
	install -D -m 644 tools/completion/_kseal $(DESTDIR)$(ZSHCOMPDIR)/_kseal
	for m in Documentation/man/*.[1-8]; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${m##*.} $$m || exit; done
	$(if $(DESTDIR),,if command -v systemd-sysusers >/dev/null; then \
		systemd-sysusers $(SYSUSERSDIR)/kseal.conf && \
		systemd-tmpfiles --create $(TMPFILESDIR)/kseal.conf; fi)

install-modules-load:
	install -D -m 644 systemd/kseal.modules-load $(DESTDIR)$(MODULESLOADDIR)/kseal.conf

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/kseald $(DESTDIR)$(PREFIX)/bin/kseal
	rm -f $(DESTDIR)$(SYSUSERSDIR)/kseal.conf $(DESTDIR)$(TMPFILESDIR)/kseal.conf $(DESTDIR)$(MODULESLOADDIR)/kseal.conf
	rm -f $(DESTDIR)$(BASHCOMPDIR)/kseal $(DESTDIR)$(ZSHCOMPDIR)/_kseal
	rm -f $(DESTDIR)$(PREFIX)/share/kseal/*.bt
	rm -f $(DESTDIR)$(PREFIX)/include/linux/kseal.h $(DESTDIR)$(SYSCONFDIR)/kseal/kseald.conf.example
	for f in systemd/*.service; do rm -f $(DESTDIR)$(UNITDIR)/$${f##*/}; done
	for m in Documentation/man/*.[1-8]; do rm -f $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$${m##*/}; done
	rm -f $(DESTDIR)/lib/modules/$(KRELEASE)/updates/kseal.ko $(DESTDIR)/lib/modules/$(KRELEASE)/updates/kseal_offload.ko
	$(if $(DESTDIR),,depmod -a $(KRELEASE))

KRELEASE = $(or $(shell cat $(KDIR)/include/config/kernel.release 2>/dev/null),$(shell uname -r))

# ---- tests ------------------------------------------------------------------

.PHONY: deps demo check static unit runner packages service kunit faults fuzz fuzz-short nicsim offload records e2e \
	selftests e2e-debug interop bench
deps:
	tests/deps build

demo:
	tests/demo/run $(if $(filter 1 y yes,$(HOST)),--host)

check:
	tests/check

static unit runner packages service kunit faults fuzz-short:
	tests/check $@

fuzz:
	FUZZ='$(FUZZ)' tests/check $@

# KERNEL=stock-7 is the suite NAME-7, KERNEL=debug-um NAME-debug-um
records e2e nicsim offload:
	tests/check $@$(addprefix -,$(patsubst stock-%,%,$(KERNEL)))

selftests:
	tests/check $(addprefix selftests-,$(or $(patsubst stock-%,%,$(KERNEL)),6.1 6.12 7))

e2e-debug:
	tests/check e2e-debug-$(or $(DEBUG),um)

# What passed becomes the document.
INTEROP_ON = 6.12 6.1 7 debug-um
interop:
	INTEROP=--long tests/check interop-6.12 interop-debug-um
	tests/check interop-6.1 interop-7
	tests/interop/table $(INTEROP_ON:%=build/check/interop-%.log) >build/interop.md
	mv build/interop.md Documentation/interop.md

bench:
	tests/bench/run $(BENCH)

.PHONY: bench-handshakes
bench-handshakes:
	tests/bench/handshakes/run $(BENCH)

.PHONY: clean
clean:
	rm -rf build tests/e2e/bin $(KSEALD) $(KSEAL)
