# kslocal: one graph, no recursion; variants never share objects.
#
#   make                  the four daemons and ksctl            -> build/plain/bin/
#   make check            unit tests                            (SAN=1, TSAN=1, COV=1, CC=clang: own build folders)
#   make scenario         bats scenarios, end to end
#   make fuzz             libFuzzer targets (clang), FUZZ_S seconds each (default 10)
#   make conform          foreign implementations as judges and peers
#   make lint bench install clean
#
# CFLAGS, LDFLAGS, CC, DESTDIR, PREFIX, SBINDIR, BINDIR, MANDIR, SYSCONFDIR, UNITDIR are the user's. WERROR=1 as in CI.

PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
SYSCONFDIR ?= $(PREFIX)/etc/kslocal
UNITDIR    ?= $(PREFIX)/lib/systemd/system
CFLAGS     ?= -O2 -g
FUZZ_S     ?= 10

ROOMS   := bsfd nafkcd mtd extdevd
VNAME   := $(if $(SAN),san,$(if $(TSAN),tsan,$(if $(COV),cov,$(if $(FUZZ),fuzz,plain))))
CCNAME  := $(filter-out cc gcc,$(notdir $(firstword $(CC))))
B       ?= build/$(if $(CCNAME),$(CCNAME)-)$(VNAME)

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 $(if $(WERROR),-Werror)
comma   := ,
VARIANT := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer) \
           $(if $(TSAN),-fsanitize=thread) $(if $(COV),--coverage -O0) \
           $(if $(FUZZ),-fsanitize=fuzzer-no-link$(comma)address$(comma)undefined -fno-sanitize-recover=all -DKS_FUZZ)
PKGS    := libmicrohttpd gnutls libevent libevent_openssl libevent_pthreads libcurl openssl expat jansson libconfuse sqlite3 \
           libsystemd libnghttp2 libpcsclite zlib
PKG_CF  := $(shell pkg-config --cflags $(PKGS))
LIBS    := -Wl,--as-needed $(shell pkg-config --libs $(PKGS)) -lpthread -lm
CPP_ALL := -std=c11 -D_GNU_SOURCE -I. $(PKG_CF)

BINS    := $(ROOMS:%=$(B)/bin/%) $(B)/bin/ksctl
all: $(BINS)

obj      = $(patsubst %.c,$(B)/%.o,$(1))
room_src = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPP_ALL) $(WARN) -MMD -MP $(CFLAGS) $(VARIANT) -c -o $@ $<

define room
$(B)/lib/$(1).a: $(call obj,$(call room_src,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(foreach r,common $(ROOMS) ctl,$(eval $(call room,$(r))))

define daemon
$(B)/bin/$(1): $(B)/$(1)/main.o $(B)/lib/$(1).a $(B)/lib/common.a
	@mkdir -p $$(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $$@ $$^ $(LIBS)
endef
$(foreach d,$(ROOMS),$(eval $(call daemon,$(d))))
# with the software card, for 'card serve'
$(B)/bin/ksctl: $(B)/ctl/main.o $(B)/lib/ctl.a $(B)/lib/mtd.a $(B)/lib/common.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $^ $(LIBS)

# --- tests: test/unit/<room>/test_<module>.c, each a program of its own; test/sim is linked into those that ask for it
$(B)/test/%.o: CPP_ALL += -DTEST_SRCDIR='"$(CURDIR)"'
UNIT_SRC := $(wildcard test/unit/*/test_*.c)
UNIT     := $(UNIT_SRC:%.c=$(B)/%)
ALL_A    := $(ROOMS:%=$(B)/lib/%.a) $(B)/lib/ctl.a $(B)/lib/sim.a $(B)/lib/common.a
$(B)/lib/sim.a: $(call obj,$(wildcard test/sim/*.c))
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^
$(B)/test/unit/%: $(B)/test/unit/%.o $(ALL_A)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $< -Wl,--start-group $(ALL_A) -Wl,--end-group $(LIBS) $(shell pkg-config --libs check)
# the same for programs that a foreign implementation judges: test/conform/test_*.c
CONFORM  := $(patsubst %.c,$(B)/%,$(wildcard test/conform/test_*.c))
$(B)/test/conform/test_%: $(B)/test/conform/test_%.o $(ALL_A)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $< -Wl,--start-group $(ALL_A) -Wl,--end-group $(LIBS) $(shell pkg-config --libs check)
# and peers of ours on freeDiameter's libfdcore: a NAF, a BSF
FD_BIN   := $(B)/conform/fd_naf $(B)/conform/fd_bsf
$(B)/conform/%: $(B)/test/conform/%.o $(B)/test/conform/fd_common.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $^ -lfdcore -lfdproto -lpthread
conform-bins: $(CONFORM) $(FD_BIN) $(B)/bench/tunnel_peer
conform: all conform-bins
	test/conform/run
unit: $(UNIT)
check: $(UNIT)
	test/run-unit $(UNIT)

scenario: all
	test/run-scenario

# --- fuzz: clang only; each target states a property and runs FUZZ_S seconds from its seeds
FUZZ_SRC := $(wildcard test/fuzz/fuzz_*.c)
FUZZ_BIN := $(FUZZ_SRC:test/fuzz/%.c=$(B)/fuzz/%)
$(B)/fuzz/%: $(B)/test/fuzz/%.o $(ALL_A)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< -Wl,--start-group $(ALL_A) -Wl,--end-group $(LIBS)
fuzz-bins: $(FUZZ_BIN)
fuzz:
	$(MAKE) CC=clang FUZZ=1 fuzz-bins
	test/run-fuzz $(FUZZ_S)

lint:
	scripts/lint

# the load generator: many subscribers, MTs and devices against real daemons
$(B)/bench/load: $(call obj,$(wildcard test/bench/load/*.c)) $(ALL_A)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $(filter %.o,$^) -Wl,--start-group $(ALL_A) -Wl,--end-group $(LIBS)
$(B)/bench/tunnel_peer: $(B)/test/bench/tunnel_peer.o $(B)/lib/common.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $^ $(LIBS)
$(B)/bench/zn_load: $(B)/test/bench/zn_load.o $(B)/lib/common.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $^ $(LIBS)
$(B)/bench/zn_echo: $(B)/test/bench/zn_echo.o $(B)/test/conform/fd_common.o
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $^ -lfdcore -lfdproto -lpthread
$(B)/bench/fill: $(B)/test/bench/fill.o $(B)/lib/nafkcd.a $(B)/lib/common.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $^ $(LIBS)
# the hot paths, for test/bench/guard
$(B)/bench/hot: $(B)/test/bench/hot.o $(ALL_A)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(VARIANT) -o $@ $< -Wl,--start-group $(ALL_A) -Wl,--end-group $(LIBS)
bench-bins: $(B)/bench/load $(B)/bench/tunnel_peer $(B)/bench/zn_load $(B)/bench/zn_echo $(B)/bench/fill $(B)/bench/hot
# ratios to peers, which it installs; writes build/bench.json
bench:
	scripts/deps build bench
	$(MAKE) all bench-bins
	test/bench/run

# DESTDIR is honoured; configurations of an earlier installation stay as they are: samples end in .sample
INSTALL  ?= install
UNITS    := $(wildcard conf/systemd/*.service)
MANPAGES := $(wildcard doc/man/*.[158])
man_dirs  = $(sort $(patsubst .%,$(MANDIR)/man%,$(suffix $(MANPAGES))))
install: all
	$(INSTALL) -d $(addprefix $(DESTDIR),$(SBINDIR) $(BINDIR) $(SYSCONFDIR) $(UNITDIR) $(man_dirs))
	$(INSTALL) -m 755 $(ROOMS:%=$(B)/bin/%) $(DESTDIR)$(SBINDIR)
	$(INSTALL) -m 755 $(B)/bin/ksctl $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 scripts/lab $(DESTDIR)$(BINDIR)/kslocal-lab
	for f in $(ROOMS); do $(INSTALL) -m 644 conf/$$f.conf $(DESTDIR)$(SYSCONFDIR)/$$f.conf.sample || exit 1; done
	$(INSTALL) -m 644 conf/card.conf.sample $(DESTDIR)$(SYSCONFDIR)/card.conf.sample
	for f in $(MANPAGES); do \
		sed 's|/usr/local/etc/kslocal|$(SYSCONFDIR)|' $$f >$(B)/$${f##*/} && \
		$(INSTALL) -m 644 $(B)/$${f##*/} $(DESTDIR)$(MANDIR)/man$${f##*.} || exit 1; done
	for u in $(notdir $(UNITS)); do \
		sed 's|@SBINDIR@|$(SBINDIR)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' conf/systemd/$$u >$(B)/$$u && \
		$(INSTALL) -m 644 $(B)/$$u $(DESTDIR)$(UNITDIR) || exit 1; done

clean:
	rm -rf build

.PHONY: all bench-bins unit conform conform-bins check scenario fuzz fuzz-bins lint bench install clean
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
