# tally: `make help` lists the targets.

CC      ?= gcc
VARIANT ?= release
B       := build/$(VARIANT)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wwrite-strings -Wvla -Werror
LIBS := -luv -lpq -lwslay -lmbedtls -lmbedx509 -lmbedcrypto -lcurl -lsodium -lcrypt -lm
CPPFLAGS := -I. -Ibuild/gen -I/usr/share/include/llhttp -I/usr/include/postgresql -D_GNU_SOURCE
CFLAGS_release := -O2 -g -fno-omit-frame-pointer -D_FORTIFY_SOURCE=2 -fstack-protector-strong
CFLAGS_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_release := -Wl,-z,relro,-z,now
LDFLAGS_asan := -fsanitize=address,undefined
CFLAGS := -std=gnu11 $(WARN) $(CFLAGS_$(VARIANT))
LDFLAGS := $(LDFLAGS_$(VARIANT))

SOURCES := $(wildcard core/*.c db/*.c http/*.c ws/*.c domain/*.c domain/*/*.c)
SQL     := $(sort $(wildcard db/*.sql domain/*.sql domain/*/*.sql))
MIGRATIONS := $(sort $(wildcard migrations/*.sql))
LLHTTP  := api http llhttp
OBJECTS := $(SOURCES:%.c=$(B)/%.o) $(B)/gen/sql.o $(B)/gen/migrations.o $(LLHTTP:%=$(B)/llhttp/%.o)
LIBRARY := $(B)/libtally.a
UNIT    := $(patsubst test/unit/%.c,build/asan/test/%,$(wildcard test/unit/test_*.c))

.DEFAULT_GOAL := build
.PHONY: build unit clean
.SECONDARY:

build: build/tallyd

build/tallyd: $(LIBRARY) $(B)/tallyd.o
	$(CC) $(LDFLAGS) -o $@ $(B)/tallyd.o $(LIBRARY) $(LIBS)

$(LIBRARY): $(OBJECTS)
	@rm -f $@
	ar rcs $@ $(OBJECTS)

$(B)/%.o: %.c build/gen/sql.h
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/%.o: build/gen/%.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Debian's llhttp is compiled loose; the strict mode refuses three shapes of request smuggling.
$(B)/llhttp/%.o: /usr/share/llhttp/%.c
	@mkdir -p $(@D)
	$(CC) -I/usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1 $(CFLAGS_$(VARIANT)) -w -c -o $@ $<

build/gen/embed_sql: scripts/embed_sql.c core/sql.h
	@mkdir -p $(@D)
	$(CC) -O1 -o $@ $<

# The list of files is a prerequisite too: adding or removing one remakes the embedding.
build/gen/sql.list: FORCE
	@mkdir -p $(@D)
	@echo "$(SQL) $(MIGRATIONS)" | cmp -s - $@ || echo "$(SQL) $(MIGRATIONS)" > $@
FORCE:

build/gen/sql.h: build/gen/embed_sql $(SQL) build/gen/sql.list
	build/gen/embed_sql build/gen/sql.c $@ $(SQL)
build/gen/sql.c: build/gen/sql.h
build/gen/migrations.c: build/gen/embed_sql $(MIGRATIONS) build/gen/sql.list
	build/gen/embed_sql $@ build/gen/migrations.h $(MIGRATIONS)
	sed -i -e 's/sql_all/migrations_all/; s/SQL_COUNT/MIGRATIONS_COUNT/; s/"sql.h"/"migrations.h"/' $@ build/gen/migrations.h

# Every unit test is a program of its own, with the check library, ASan and UBSan.
unit:
	@$(MAKE) --no-print-directory VARIANT=asan $(UNIT)
	@for t in $(UNIT); do echo "== $$t"; $$t || exit 1; done

build/asan/test/%: test/unit/%.c $(LIBRARY)
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -MMD -MP -o $@ $< $(LIBRARY) $(LIBS) -lcheck -lsubunit -lrt -lpthread -ljansson

clean:
	rm -rf build

-include $(OBJECTS:.o=.d)
