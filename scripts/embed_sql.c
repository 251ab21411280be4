/* Turns .sql files into C: embed_sql OUT.c OUT.h FILE… writes one `const struct sql` per file, named
 * after its folder and itself: domain/bank/account_list.sql becomes sql_bank_account_list. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *file)
{
    fprintf(stderr, "embed_sql: %s: %s\n", what, file);
    exit(1);
}

/* "domain/bank/account_list.sql" -> "bank_account_list"; a file in db/ itself -> "db_…". */
static void symbol_of(const char *path, char out[256])
{
    const char *slash = strrchr(path, '/');
    const char *start = path;
    if (!slash) fail("no folder in path", path);
    for (const char *p = path; p < slash; p++) {
        if (*p == '/') start = p + 1;
    }
    size_t n = 0;
    for (const char *p = start; *p && n < 255; p++) {
        if (strcmp(p, ".sql") == 0) break;
        out[n++] = isalnum((unsigned char) *p) ? *p : '_';
    }
    out[n] = 0;
}

/* The highest $n outside of comments. */
static int count_params(const char *text)
{
    int highest = 0;
    for (const char *p = text; *p; p++) {
        if (p[0] == '-' && p[1] == '-') {
            while (*p && *p != '\n') p++;
            if (!*p) break;
        } else if (p[0] == '$' && isdigit((unsigned char) p[1])) {
            int n = (int) strtol(p + 1, NULL, 10);
            if (n > highest) highest = n;
        }
    }
    return highest;
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) fail("cannot read", path);
    char *text = malloc(1 << 20);
    size_t n = text ? fread(text, 1, (1 << 20) - 1, f) : 0;
    if (!text || ferror(f) || n == (1 << 20) - 1) fail("unreadable or larger than 1 MiB", path);
    fclose(f);
    text[n] = 0;
    return text;
}

static void put_literal(FILE *c, const char *text)
{
    for (const char *p = text; *p;) {
        fputs("    \"", c);
        for (; *p && *p != '\n'; p++) {
            if (*p == '"' || *p == '\\') fputc('\\', c);
            fputc(*p, c);
        }
        fputs("\\n\"\n", c);
        if (*p == '\n') p++;
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) fail("usage: embed_sql OUT.c OUT.h FILE", "");
    FILE *c = fopen(argv[1], "w"), *h = fopen(argv[2], "w");
    if (!c || !h) fail("cannot write", argv[1]);
    fputs("/* Made by scripts/embed_sql.c from the .sql files. */\n#include <stddef.h>\n#include \"sql.h\"\n", c);
    fputs("/* Made by scripts/embed_sql.c from the .sql files. */\n#pragma once\n#include \"core/sql.h\"\n", h);
    for (int i = 3; i < argc; i++) {
        char symbol[256];
        char *text = read_file(argv[i]);
        symbol_of(argv[i], symbol);
        fprintf(h, "extern const struct sql sql_%s;\n", symbol);
        fprintf(c, "const struct sql sql_%s = { .index = %d, .params = %d, .name = \"%s\",\n", symbol, i - 3,
                count_params(text), symbol);
        fprintf(c, "    .file = \"%s\", .text =\n", argv[i]);
        put_literal(c, text);
        fputs("};\n", c);
        free(text);
    }
    fprintf(h, "enum { SQL_COUNT = %d };\nextern const struct sql *const sql_all[SQL_COUNT + 1];\n", argc - 3);
    fputs("const struct sql *const sql_all[SQL_COUNT + 1] = {\n", c);
    for (int i = 3; i < argc; i++) {
        char symbol[256];
        symbol_of(argv[i], symbol);
        fprintf(c, "    &sql_%s,\n", symbol);
    }
    fputs("    NULL\n};\n", c);
    if (fclose(c) || fclose(h)) fail("cannot write", argv[1]);
    return 0;
}
