/*
 * What the tests of this folder share: the README's tables, and the record its examples speak of.
 */
#ifndef EXPR_EXPR_TESTING_H
#define EXPR_EXPR_TESTING_H

#include "base/buffer.h"
#include "base/clock.h"
#include "doc/doc_testing.h"
#include "expr/expr.h"

enum { ROW_CELLS = 3, ROW_BYTES = 1024 };

/* A row of one of the README's tables: cells with their code quotes and escaped bars taken off. */
struct readme_row {
    int line;
    int count;
    char cells[ROW_CELLS][ROW_BYTES];
};

static inline FILE *must_open_readme(void) {
    const char *path = getenv("EXPR_README");
    FILE *file = fopen(path == NULL ? "README.md" : path, "r");
    if (file == NULL) fail_msg("there is no README: set EXPR_README");
    return file;
}

static inline void take_cell(char *text, size_t size, char *out) {
    char *end = out;
    while (size > 0 && text[0] == ' ') {
        text++;
        size--;
    }
    while (size > 0 && text[size - 1] == ' ')
        size--;
    if (size > 1 && text[0] == '`' && text[size - 1] == '`') {
        text++;
        size -= 2;
    }
    for (size_t index = 0; index < size && end - out < ROW_BYTES - 1; index++) {
        if (text[index] == '\\' && index + 1 < size && text[index + 1] == '|') continue;
        *end++ = text[index];
    }
    *end = '\0';
}

/* The next row that begins with code; false at the end. *line counts. */
static inline bool next_row(FILE *file, int *line, struct readme_row *row) {
    char text[4 * ROW_BYTES];
    while (fgets(text, sizeof text, file) != NULL) {
        char *cell = text + 1;
        ++*line;
        if (strncmp(text, "| `", 3) != 0) continue;
        row->line = *line;
        row->count = 0;
        for (char *p = cell; *p != '\0' && row->count < ROW_CELLS; p++) {
            if (*p != '|' || p[-1] == '\\') continue;
            /* && and the bars of an or in running text stand as they are: only " | " parts cells. */
            if (p[-1] != ' ' || (p[1] != ' ' && p[1] != '\n')) continue;
            take_cell(cell, (size_t)(p - cell), row->cells[row->count++]);
            cell = p + 1;
        }
        return true;
    }
    return false;
}

static inline void example_meta(void *context, enum expr_meta meta, struct expr_value *value) {
    (void)context;
    static const struct {
        enum expr_meta meta;
        enum expr_kind kind;
        const char *text;
        uint64_t number;
    } known[] = {
        {EXPR_META_ID, EXPR_STRING, "d1", 0},
        {EXPR_META_TYPE, EXPR_STRING, "deals", 0},
        {EXPR_META_CREATED_BY, EXPR_STRING, "ann", 0},
        {EXPR_META_UPDATED_BY, EXPR_STRING, "bob", 0},
        {EXPR_META_VERSION, EXPR_U64, "", 3},
        {EXPR_META_SEQ, EXPR_U64, "", 40},
        {EXPR_META_CREATED_AT, EXPR_TIME, "2026-01-01T00:00:00Z", 0},
        {EXPR_META_UPDATED_AT, EXPR_TIME, "2026-03-01T12:00:00.5Z", 0},
    };
    for (size_t index = 0; index < sizeof known / sizeof known[0]; index++) {
        if (known[index].meta != meta) continue;
        value->kind = known[index].kind;
        value->u64 = known[index].number;
        value->text = view_of(known[index].text);
        if (value->kind == EXPR_TIME) assert_true(clock_parse_rfc3339(value->text, &value->ns));
    }
}

static inline stet_status try_parse(const char *text, struct expr **expr, stet_error *err) {
    struct expr_options options = {.roots = EXPR_ROOT_ACTOR | EXPR_ROOT_OLD_NEW, .field = "where"};
    return expr_parse(&test_arena, view_of(text), &options, expr, err);
}

static inline struct expr *must_parse_expr(const char *text) {
    struct expr *expr = NULL;
    stet_error err = {0};
    if (try_parse(text, &expr, &err) != STET_OK) fail_msg("%s: %s", text, err.message);
    return expr;
}

static inline bool matches_example(const struct expr *expr, const struct doc *data) {
    static const stet_view roles[] = {{"sales", 5}, {"emea", 4}};
    struct doc old = must_parse("{\"stage\":\"open\"}");
    struct expr_subject subject = {
        .data = data,
        .meta = example_meta,
        .old_data = &old,
        .new_data = data,
        .actor_id = VIEW("ann"),
        .actor_roles = roles,
        .actor_role_count = 2,
    };
    return expr_matches(expr, &subject);
}

#endif
