# tally: `make help` lists the targets.

# What can be set: VARIANT=release|asan|fuzz (build), V=1 (show whole commands), FUZZ_SECONDS=n (for each
# target), TESTS="files" (api, chaos, sim, browser).
VARIANT ?= release
FUZZ_SECONDS ?= 10
TESTS   ?=

ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(VARIANT)),clang,gcc)
endif
B := build/$(VARIANT)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wwrite-strings -Wvla -Werror
LIBS := -luv -lpq -lwslay -lmbedtls -lmbedx509 -lmbedcrypto -lcurl -lsodium -lcrypt -ljpeg -lspng -lwebp -lz -lm
TEST_LIBS := -lcheck -lsubunit -lrt -lpthread -ljansson
CPPFLAGS := -I. -Ibuild/gen -I/usr/share/include/llhttp -I/usr/include/postgresql -D_GNU_SOURCE
CFLAGS_release := -O2 -g -fno-omit-frame-pointer -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
# No pointer-overflow: clang alone minds NULL + 0, which is how an empty struct str ends.
CFLAGS_fuzz := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize=pointer-overflow -fno-sanitize-recover=all -Wno-error
LDFLAGS_release := -Wl,-z,relro,-z,now
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_fuzz := -fsanitize=address,undefined
CFLAGS := -std=gnu11 $(WARN) $(CFLAGS_$(VARIANT))
LDFLAGS := $(LDFLAGS_$(VARIANT))

SOURCES := $(wildcard core/*.c db/*.c http/*.c ws/*.c domain/*.c domain/*/*.c)
SQL     := $(sort $(wildcard db/*.sql domain/*.sql domain/*/*.sql))
MIGRATIONS := $(sort $(wildcard migrations/*.sql))
WEB     := $(shell awk '$$1 == "asset" || $$1 == "page" {print "web/" $$3}' web/manifest)
LLHTTP  := api http llhttp
OBJECTS := $(SOURCES:%.c=$(B)/%.o) $(B)/gen/sql.o $(B)/gen/migrations.o $(B)/gen/web.o $(LLHTTP:%=$(B)/llhttp/%.o)
QUIET := --no-print-directory $(if $(V),,-s)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

LIBRARY := $(B)/libtally.a
UNIT    := $(patsubst test/unit/%.c,build/asan/test/%,$(wildcard test/unit/test_*.c))
SIM     := $(patsubst test/sim/%.c,build/asan/test/%,$(wildcard test/sim/sim_*.c))
GEN     := build/gen/sql.h build/gen/migrations.h build/gen/web.h
ECHO    := build/asan/test/socketio_echo
FUZZ    := $(patsubst test/fuzz/%.c,build/fuzz/test/%,$(wildcard test/fuzz/fuzz_*.c))

# All cores, unless the caller said otherwise; goals that must follow one another do so in scripts/.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

.DEFAULT_GOAL := build
.PHONY: help setup build run test check unit fuzz sim api chaos browser check-sql lint format bench asan clean FORCE
.SECONDARY:
.DELETE_ON_ERROR:

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

setup: ## install what the build and the tests need
	@scripts/setup build test

build: ## build/tallyd (the default); VARIANT=asan builds build/asan/tallyd instead

run: ## set up, build, start a private PostgreSQL, seed, serve on 127.0.0.1:3000
	@scripts/run

test: ## every test there is; does its own set-up
	@scripts/test

check: ## what must be green before a commit: build, lint, unit tests
	@$(MAKE) $(QUIET) build
	@$(MAKE) $(QUIET) lint
	@$(MAKE) $(QUIET) unit

unit: ## pure rules and parsers, under ASan and UBSan
	@$(MAKE) $(QUIET) VARIANT=asan build/asan/libtally.a $(UNIT)
	@scripts/unit $(UNIT)

fuzz: ## every fuzz target: its corpus, then FUZZ_SECONDS of search
	@$(MAKE) $(QUIET) VARIANT=fuzz build/fuzz/libtally.a $(FUZZ)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/fuzz $(FUZZ)

sim: ## seeded simulations against naive models
	@$(MAKE) $(QUIET) VARIANT=asan build/asan/libtally.a $(SIM)
	@scripts/unit $(SIM)
	@test/run sim $(TESTS)

api chaos browser: asan
	@test/run $@ $(TESTS)
api: ## the real binary over HTTP and WebSocket
chaos: ## the same, while servers, databases and clients fail
browser: ## the dashboard in Chromium

check-sql: build ## PREPARE every .sql file against a freshly migrated database
	@scripts/check_sql $(SQL)

lint: | $(GEN) ## the house rules, cppcheck
	@scripts/lint

format: ## clang-format over our C
	@clang-format -i $(wildcard tallyd.c core/*.[ch] db/*.[ch] http/*.[ch] ws/*.[ch] domain/*.[ch] domain/*/*.[ch] test/*/*.[ch] scripts/*.c)

bench: build ## ratios against other servers on this machine
	@scripts/setup build bench
	@scripts/bench/run

# What is generated is made here, once, and not by several makes at the same time.
asan unit fuzz sim: | $(GEN)
asan:
	@$(MAKE) $(QUIET) VARIANT=asan build/asan/tallyd $(ECHO)

clean: ## remove everything that was built (not .tally/, where make run keeps its data)
	rm -rf build

ifneq ($(VARIANT),release)
build: $(B)/tallyd
else
build: build/tallyd
build/tallyd: $(B)/tallyd
	@ln -f $< $@
endif

$(B)/tallyd: $(LIBRARY) $(B)/tallyd.o
	$(call say,link)$(CC) $(LDFLAGS) -o $@ $(B)/tallyd.o $(LIBRARY) $(LIBS)

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	$(call say,ar)ar rcs $@ $(OBJECTS)

# Other flags or another compiler: everything is made again.
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)' > $@

# What the build stands on is looked for once; what is missing is named, with its mend.
build/needs: scripts/setup web/package-lock.json
	@scripts/setup --check build
	@mkdir -p $(@D) && touch $@
web/node_modules/%: | build/needs
	@echo "make: $@ is missing: \`rm -r web/node_modules; make setup\` installs it anew" >&2; exit 1

$(B)/%.o: %.c $(B)/flags | build/needs $(GEN)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/%.o: build/gen/%.c $(B)/flags
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Debian's llhttp is compiled loose; the strict mode refuses three shapes of request smuggling.
$(B)/llhttp/%.o: /usr/share/llhttp/%.c $(B)/flags | build/needs
	@mkdir -p $(@D)
	$(call say,cc)$(CC) -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1 $(CFLAGS_$(VARIANT)) -w -c -o $@ $<

build/gen/embed_sql: scripts/embed_sql.c core/sql.h | build/needs
	@mkdir -p $(@D)
	$(call say,cc)gcc -O1 -o $@ $<

# The list of files is a prerequisite too: adding or removing one remakes the embedding.
build/gen/sql.list: FORCE
	@mkdir -p $(@D)
	@echo "$(SQL) $(MIGRATIONS)" | cmp -s - $@ || echo "$(SQL) $(MIGRATIONS)" > $@

# The header changes only when a file comes or goes, so that editing one .sql file compiles one object.
build/gen/sql.c: build/gen/embed_sql $(SQL) build/gen/sql.list
	$(call say,sql)build/gen/embed_sql $@ build/gen/sql.h.new $(SQL)
	@cmp -s build/gen/sql.h.new build/gen/sql.h || cp build/gen/sql.h.new build/gen/sql.h
build/gen/migrations.c: build/gen/embed_sql $(MIGRATIONS) build/gen/sql.list
	$(call say,sql)build/gen/embed_sql $@ build/gen/migrations.h.new $(MIGRATIONS)
	@sed -i -e 's/sql_all/migrations_all/; s/SQL_COUNT/MIGRATIONS_COUNT/; s/"sql.h"/"migrations.h"/' $@ build/gen/migrations.h.new
	@cmp -s build/gen/migrations.h.new build/gen/migrations.h || cp build/gen/migrations.h.new build/gen/migrations.h
build/gen/sql.h: build/gen/sql.c ;
build/gen/migrations.h: build/gen/migrations.c ;

# The pages and their assets, into one object.
build/gen/web.c: scripts/embed_web web/manifest $(WEB) | build/needs
	@mkdir -p $(@D)
	$(call say,web)scripts/embed_web $@ build/gen/web.h.new
	@cmp -s build/gen/web.h.new build/gen/web.h || cp build/gen/web.h.new build/gen/web.h
build/gen/web.h: build/gen/web.c ;

# A unit test, like a simulation, is a program of its own, with the check library, ASan and UBSan.
build/asan/test/%: test/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LIBS) $(TEST_LIBS)

build/asan/test/%: test/sim/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LIBS) $(TEST_LIBS)

# A server that the api tests of the protocols start, see there.
$(B)/test/%: test/echo/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LIBS)

build/fuzz/test/%: test/fuzz/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(CPPFLAGS) $(CFLAGS) -fsanitize=fuzzer $(LDFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LIBS)

-include $(OBJECTS:.o=.d) $(B)/tallyd.d $(wildcard $(B)/test/*.d)
