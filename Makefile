# Tidelock. `make help` lists the targets.

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 2)
endif
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all
SHELL := /bin/sh

VERSION := $(strip $(shell cat VERSION 2>/dev/null || git describe --tags --match 'v*' --abbrev=0 2>/dev/null | sed 's/^v//'))
VERSION := $(or $(VERSION),0.1.0)
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
# Where everything but the link to the libraries goes: B=FOLDER keeps a second build apart.
B ?= build
export DEPS

quiet = $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-5s %s\n')

# ---- What is compiled --------------------------------------------------------------------------------------------------

sources := $(wildcard core/main.c) $(sort $(wildcard core/*/*.c))
headers := $(sort $(wildcard core/*/*.h))
lua_files := $(sort $(shell find lua -type f ! -name '.*' ! -name '*~' 2>/dev/null))
unit_tests := $(sort $(wildcard tests/unit/*_test.c))
unit_helpers := $(filter-out $(unit_tests),$(sort $(wildcard tests/unit/*.c)))
fuzz_targets := $(sort $(wildcard tests/fuzz/fuzz_*.c))

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wvla -Werror
common := -std=c11 -D_GNU_SOURCE -DTIDELOCK_VERSION='"$(VERSION)"' -Icore $(warnings) \
	-g -pthread -ffunction-sections -fdata-sections -fno-strict-aliasing -ffile-prefix-map=$(CURDIR)=.
harden := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
harden_link := -pie -Wl,-z,relro,-z,now,-z,noexecstack
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

ifeq ($(filter x86_64-%,$(shell gcc -dumpmachine 2>/dev/null)),)
harden := $(filter-out -fcf-protection,$(harden))
endif

# KIND: libraries, compiler, flags, link flags, program. `asan` also serves the unit tests and the fuzzers, hence its coverage hooks.
kinds := release debug asan static

# A text that is too long for its place is cut on purpose: no error.
gcc_only := -Wno-format-truncation

release_deps := gcc
release_cc := gcc
release_flags := $(common) $(gcc_only) $(harden) -O2
release_link := $(harden_link) -Wl,--gc-sections
release_program := $(B)/tidelock

debug_deps := gcc
debug_cc := gcc
debug_flags := $(common) $(gcc_only) $(harden) -O1 -DTIDELOCK_DEBUG=1
debug_link := $(harden_link)
debug_program := $(B)/debug/tidelock

asan_deps := asan
asan_cc := clang
# luaL_error does not return, but its declaration does not say so.
asan_flags := $(common) -Wno-sometimes-uninitialized $(sanitize) -fsanitize=fuzzer-no-link -fPIE -O1 -DTIDELOCK_DEBUG=1
asan_link := $(sanitize) -pie
asan_program := $(B)/asan/tidelock

static_deps := musl
static_cc := musl-gcc
static_flags := $(common) $(gcc_only) $(harden) -Os
# musl-gcc knows no -static-pie: its start file and the linker's arguments are spelled out.
musl := $(dir $(firstword $(wildcard /usr/lib/*-linux-musl/rcrt1.o) rcrt1.o))
static_link := -nostartfiles -static $(addprefix $(musl),rcrt1.o crti.o crtn.o) -s \
	-Wl,-pie,--no-dynamic-linker,-z,text,-z,relro,-z,now,-z,noexecstack,--gc-sections
static_program := $(B)/static/tidelock

# ---- Programs ----------------------------------------------------------------------------------------------------------

.PHONY: all debug asan static deps
all: $(release_program)
debug: $(debug_program)
asan: $(asan_program)
static: $(static_program)
deps: build/deps/gcc.stamp

# The stamp's time changes only when the libraries do.
build/deps/%.stamp: scripts/deps scripts/event-config.h core/crypto/mbedtls_config.h
	@scripts/deps $*

# A file that is rewritten only when its content would change: flags, or the list of embedded files.
define on_change
@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(1))' > $@.new; cmp -s $@.new $@ && rm $@.new || mv $@.new $@
endef

define kind_rules
$(1)_objects := $$(patsubst %.c,$(B)/$(1)/%.o,$$(sources)) $(B)/$(1)/embedded.o
$(1)_library := $(B)/$(1)/core.a

$(B)/$(1)/flags: FORCE
	$$(call on_change,$$($(1)_cc) $$($(1)_flags))

$(B)/$(1)/%.o: %.c $(B)/$(1)/flags build/deps/$$($(1)_deps).stamp
	$$(say) CC '$$@'
	@mkdir -p $$(@D)
	$$(quiet)$$($(1)_cc) $$($(1)_flags) @build/deps/$$($(1)_deps)/cflags -MMD -MP -c $$< -o $$@

$(B)/$(1)/embedded.o: $(B)/embedded.c $(B)/$(1)/flags build/deps/$$($(1)_deps).stamp
	$$(say) CC '$$@'
	@mkdir -p $$(@D)
	$$(quiet)$$($(1)_cc) $$($(1)_flags) @build/deps/$$($(1)_deps)/cflags -MMD -MP -c $$< -o $$@

$$($(1)_library): $$(filter-out $(B)/$(1)/core/main.o,$$($(1)_objects))
	$$(say) AR '$$@'
	@rm -f $$@
	$$(quiet)ar rcsTD $$@ $$^

$$($(1)_program): $$($(1)_objects)
	$$(say) LINK '$$@'
	@mkdir -p $$(@D)
	$$(quiet)$$($(1)_cc) $$($(1)_flags) $$($(1)_objects) $$($(1)_link) @build/deps/$$($(1)_deps)/libs -o $$@

-include $$($(1)_objects:.o=.d)
endef
$(foreach kind,$(kinds),$(eval $(call kind_rules,$(kind))))

$(B)/embedded.list: FORCE
	$(call on_change,$(lua_files))

$(B)/embedded.c: scripts/embed $(B)/embedded.list $(lua_files)
	$(say) EMBED 'lua/'
	$(quiet)scripts/embed lua > $@

# ---- Tests -------------------------------------------------------------------------------------------------------------

unit_programs := $(patsubst tests/unit/%.c,$(B)/asan/unit/%,$(unit_tests))
fuzz_programs := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(fuzz_targets))

$(B)/asan/unit/%: tests/unit/%.c $(unit_helpers) $(asan_library) $(B)/asan/flags
	$(say) UNIT '$@'
	@mkdir -p $(@D)
	$(quiet)$(asan_cc) $(asan_flags) -Itests/unit @build/deps/asan/cflags -MMD -MP -MF $@.d \
		$< $(unit_helpers) $(asan_library) $(asan_link) @build/deps/asan/libs -lcmocka -o $@

$(B)/fuzz/%: tests/fuzz/%.c $(asan_library) $(B)/asan/flags
	$(say) FUZZ '$@'
	@mkdir -p $(@D)
	$(quiet)$(asan_cc) $(asan_flags) -Itests/fuzz @build/deps/asan/cflags -MMD -MP -MF $@.d \
		$< $(asan_library) $(asan_link) -fsanitize=fuzzer @build/deps/asan/libs -o $@

-include $(wildcard $(B)/asan/unit/*.d $(B)/fuzz/*.d)

.PHONY: test test-build unit lua wire flow fuzz fuzz-replay bench
test:
	@scripts/setup test
	@scripts/test

# What the tests need compiled, in one parallel go.
test-build: $(debug_program) $(asan_program) $(unit_programs) $(fuzz_programs)

unit: $(unit_programs)
	@scripts/each 'unit test' $(unit_programs)

lua: $(debug_program)
	@TIDELOCK=$(abspath $(or $(TIDELOCK),$(debug_program))) scripts/suite lua

wire flow: $(debug_program)
	@TIDELOCK=$(abspath $(or $(TIDELOCK),$(debug_program))) scripts/suite $@

fuzz: $(fuzz_programs) $(debug_program)
	@B=$(B) FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz $(fuzz_programs)
	@TIDELOCK=$(abspath $(debug_program)) FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/node tests/fuzz/conversion_rules.mjs

fuzz-replay: $(fuzz_programs)
	@B=$(B) FUZZ_SECONDS=0 scripts/fuzz $(fuzz_programs)

# The library calls alone, which the benchmark compares with.
$(B)/bench/bare: tests/bench/bare.c $(B)/release/flags build/deps/$(release_deps).stamp
	$(say) BENCH '$@'
	@mkdir -p $(@D)
	$(quiet)$(release_cc) $(release_flags) @build/deps/$(release_deps)/cflags $< $(release_link) @build/deps/$(release_deps)/libs -o $@

bench: $(release_program) $(debug_program) $(static_program) $(B)/bench/bare
	@scripts/setup bench
	@B=$(abspath $(B)) TIDELOCK=$(abspath $(release_program)) scripts/suite bench

# ---- Quality -----------------------------------------------------------------------------------------------------------

.PHONY: lint format
lint: build/deps/gcc.stamp
	@scripts/lint

format:
	@[ -z '$(sources)$(headers)' ] || clang-format -i $(sources) $(headers) $(wildcard tests/unit/*.[ch] tests/fuzz/*.[ch])

# ---- Products ----------------------------------------------------------------------------------------------------------

.PHONY: run image test-image install clean help
run:
	@scripts/setup run
	@$(MAKE) --no-print-directory all
	@TIDELOCK=$(B)/tidelock exec scripts/lab

image: $(B)/image/tidelock-amd64-oci.tar

$(B)/image/tidelock-amd64-oci.tar: $(static_program) scripts/image $(shell find rootfs -type f 2>/dev/null)
	$(say) IMAGE '$@'
	@scripts/image $(static_program) $@

test-image: $(B)/image/tidelock-amd64-oci.tar
	@scripts/setup test
	@scripts/suite image

install: $(release_program)
	install -D -s -m 0755 $(release_program) $(DESTDIR)$(PREFIX)/bin/tidelock
	[ ! -f etc/tidelock.lua ] || install -D -m 0644 etc/tidelock.lua $(DESTDIR)$(PREFIX)/share/tidelock/tidelock.lua

clean:
	rm -rf build $(B)

help:
	@echo 'make             build/tidelock, the program'
	@echo 'make run         install what is missing, build, and serve the lab configuration on https://localhost:8443'
	@echo 'make test        install what is missing, build, and pass every test'
	@echo
	@echo 'make deps        fetch and compile the libraries (DEPS=system: use the host'"'"'s; DEBIAN_MIRROR=URL: fetch there)'
	@echo 'make debug       build/debug/tidelock: counters, a clock that tests move, faults on demand'
	@echo 'make asan        build/asan/tidelock: with the address and undefined-behaviour sanitizers'
	@echo 'make static      build/static/tidelock: one static file for any Linux of this architecture'
	@echo 'make image       build/image/: the container image'
	@echo 'make install     to DESTDIR, PREFIX=/usr/local'
	@echo
	@echo 'make unit        C unit tests            make lua       specs of the Lua code'
	@echo 'make wire        protocol behaviours     make flow      whole stories with real clients'
	@echo 'make fuzz        each target for FUZZ_SECONDS=60        make fuzz-replay  the stored inputs only'
	@echo 'make bench       speed and memory        make test-image  the image, started'
	@echo 'make lint        layers, formatting, static checks      make format     lay out the C files'
	@echo 'make clean       remove build/ (the libraries stay cached)'

FORCE:
