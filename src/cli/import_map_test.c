#include "cli/import_map.h"

#include "base/error.h"
#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct import_map map;
    stet_error err;
};

static stet_view cells_of(const char *text, stet_view cells[8], size_t *count) {
    *count = 0;
    for (const char *at = text;; at++) {
        const char *end = strchr(at, '|');
        cells[(*count)++] = end == NULL ? view_of(at) : view_make(at, (size_t)(end - at));
        if (end == NULL) return cells[0];
        at = end;
    }
}

/* `map` of a CSV with this header ("a|b"), or of JSON when it is NULL. */
static stet_status map_begin(struct fixture *f, const char *map, const char *header) {
    stet_view cells[8];
    size_t count = 0;
    import_map_init(&f->map);
    f->err = (stet_error){0};
    f->map.type = VIEW("t");
    stet_status status = import_map_read(&f->map, view_of(map), &f->err);
    if (status != STET_OK) return status;
    if (header != NULL) cells_of(header, cells, &count);
    return import_map_begin(&f->map, header == NULL ? NULL : cells, count, &f->err);
}

/* The line of a row; `expected` begins with '!': it is refused, "!column: why". */
static void check_row(struct fixture *f, const char *text, const char *expected) {
    struct arena arena;
    struct buffer line;
    stet_view cells[8], id, column;
    struct row row = {.line = 2};
    char refused[400];
    arena_init(&arena, 1024);
    buffer_init(&line, NULL, 0);
    if (f->map.json) {
        row.json = view_of(text);
    } else {
        cells_of(text, cells, &row.cell_count);
        row.cells = cells;
    }
    stet_status status = import_map_line(&f->map, &arena, &row, &line, &id, &column, &f->err);
    if (status != STET_OK) {
        snprintf(refused, sizeof refused, "!%.*s: %s", VIEW_ARG(column), f->err.message);
        assert_string_equal(refused, expected);
    } else {
        buffer_append_char(&line, '\0');
        assert_string_equal(line.bytes, expected);
    }
    buffer_done(&line);
    arena_done(&arena);
}

static void check(const char *map, const char *header, const char *row, const char *expected) {
    struct fixture f;
    if (map_begin(&f, map, header) != STET_OK) fail_msg("%s", f.err.message);
    check_row(&f, row, expected);
    import_map_done(&f.map);
}

static void check_refused(const char *map, const char *header, const char *why) {
    struct fixture f;
    assert_int_equal(map_begin(&f, map, header), STET_BAD_REQUEST);
    if (strstr(f.err.message, why) == NULL) fail_msg("\"%s\" lacks \"%s\"", f.err.message, why);
    import_map_done(&f.map);
}

static void without_a_word_columns_are_members(void **state) {
    (void)state;
    check("{}", "Id|name|a/b~c", "7|Ann|x",
          "{\"type\":\"t\",\"id\":\"7\",\"data\":{\"Id\":\"7\",\"name\":\"Ann\",\"a/b~c\":\"x\"}}");
    check("{}", "id||name", "7|lost|", "{\"type\":\"t\",\"id\":\"7\",\"data\":{\"id\":\"7\"}}");
}

static void fields_go_where_they_are_sent(void **state) {
    (void)state;
    check("{\"id\":\"No\",\"fields\":{\"Name\":\"/name\",\"Town\":\"/address/town\","
          "\"Zip\":{\"to\":\"/address/zip\"},\"Due\":\"/due:date(dd.mm.yyyy)\"},"
          "\"constants\":{\"/source\":{\"n\":1}}}",
          "No|Name|Town|Zip|Due", " 7 |Ann|Bern|03000|24.12.2025",
          "{\"type\":\"t\",\"id\":\"7\",\"data\":{\"name\":\"Ann\",\"address\":{\"town\":\"Bern\","
          "\"zip\":\"03000\"},\"due\":\"2025-12-24\",\"source\":{\"n\":1}}}");
}

static void what_is_empty_is_left_out_removed_or_kept(void **state) {
    struct fixture f;
    (void)state;
    check("{\"fields\":{\"a\":\"/x/a\",\"b\":{\"to\":\"/b\",\"empty\":\"text\"}}}", "id|a|b", "1||",
          "{\"type\":\"t\",\"id\":\"1\",\"data\":{\"b\":\"\"}}");
    assert_int_equal(map_begin(&f, "{\"empty\":\"remove\",\"fields\":{\"a\":\"/x/a\"}}", "id|a"),
                     STET_OK);
    check_row(&f, "1|", "{\"type\":\"t\",\"id\":\"1\",\"data\":{}}");
    f.map.updates = true;
    check_row(&f, "1|", "{\"type\":\"t\",\"id\":\"1\",\"data\":{\"x\":{\"a\":null}}}");
    import_map_done(&f.map);
}

static void ids_are_made_of_columns(void **state) {
    (void)state;
    check("{\"id\":[\"a\",\"b\"],\"fields\":{\"b\":\"/b\"}}", "a|b", "1|2",
          "{\"type\":\"t\",\"id\":\"1-2\",\"data\":{\"b\":\"2\"}}");
    check("{\"id_template\":\"{{x}}/{b}-{a}.\",\"fields\":{\"b\":\"/b\"}}", "a|b", "1|2",
          "{\"type\":\"t\",\"id\":\"{x}/2-1.\",\"data\":{\"b\":\"2\"}}");
    check("{\"id\":[\"a\",\"b\"],\"fields\":{\"b\":\"/b\"}}", "a|b", " |2",
          "!a: is empty, and the id is made of it");
}

static void a_row_that_does_not_fit_names_its_column(void **state) {
    (void)state;
    check("{\"fields\":{\"n\":\"/n:number\"}}", "id|n", "1|1,000", "!n: \"1,000\" is not a number");
    check("{}", "id|n", "1", "!: has 1 cells, and the header 2");
    check("{}", "id|n", "1|2|3", "!: has 3 cells, and the header 2");
}

static void objects_are_taken_whole_or_by_pointer(void **state) {
    (void)state;
    check("{}", NULL, "{\"id\":7,\n\"a\":[1,\n2]}",
          "{\"type\":\"t\",\"id\":\"7\",\"data\":{\"id\":7, \"a\":[1, 2]}}");
    check(
        "{\"id\":\"/key/no\",\"fields\":{\"/key/no\":\"/no\",\"n\":\"/n:number\","
        "\"gone\":\"/gone\",\"deep\":\"/deep\"}}",
        NULL, "{\"key\":{\"no\":\"k1\"},\"n\":\"2.5\",\"deep\":{\"x\":null}}",
        "{\"type\":\"t\",\"id\":\"k1\",\"data\":{\"no\":\"k1\",\"n\":2.5,\"deep\":{\"x\":null}}}");
    check("{\"fields\":{\"n\":\"/n:number\"}}", NULL, "{\"id\":\"1\",\"n\":3}",
          "{\"type\":\"t\",\"id\":\"1\",\"data\":{\"n\":3}}");
    check("{\"fields\":{\"n\":\"/n:number\"}}", NULL, "{\"id\":\"1\",\"n\":[3]}",
          "!n: is not a text to be converted");
    check("{}", NULL, "[1]", "!: is not an object");
    check("{}", NULL, "{\"id\":[1]}", "!id: an id is made of texts and numbers");
    check("{}", NULL, "{\"n\":1}", "!id: is empty, and the id is made of it");
}

static void a_map_that_makes_no_sense_is_refused(void **state) {
    (void)state;
    check_refused("{\"fields\":{\"x\":\"/x\"}}", "id|n", "there is no column \"x\"");
    check_refused("{}", "id|n|n", "columns 2 and 3 have the same name, \"n\"");
    check_refused("{}", "a|b", "which column is the id?");
    check_refused("{\"fields\":{\"a\":\"/x\",\"b\":\"/x\"}}", "id|a|b", "the same place");
    check_refused("{\"fields\":{\"a\":\"/x/y\",\"b\":\"/x\"}}", "id|a|b", "the same place");
    check_refused("{\"fields\":{\"a\":\"/x\",\"b\":\"/x/y\"}}", "id|a|b", "the same place");
    check_refused("{\"fields\":{\"a\":\"x\"}}", "id|a", "not a pointer");
    check_refused("{\"fields\":{\"a\":\"/x~2\"}}", "id|a", "not a pointer");
    check_refused("{\"fields\":{\"a\":\"\"}}", "id|a", "not a pointer");
    check_refused("{\"fields\":{\"a\":{\"to\":\"/a\",\"as\":\"money\"}}}", "id|a", "not \"money\"");
    check_refused("{\"fields\":{\"a\":{\"to\":\"/a\",\"ass\":\"text\"}}}", "id|a", "\"ass\"");
    check_refused("{\"fields\":{\"a\":\"/a:number(abc)\"}}", "id|a", "number(");
    check_refused("{\"field\":\"\"}", "id", "no \"field\"");
    check_refused("{\"id\":[]}", "id", "a list of some");
    check_refused("{\"id_template\":\"{\"}", "id", "braces");
    check_refused("{\"id_template\":\"x\"}", "id", "names no column");
    check_refused("{\"id_template\":\"{id}\",\"id\":\"id\"}", "id", "twice");
    check_refused("{\"constants\":{\"/a\":1}}", NULL, "constants need fields");
    check_refused("[]", "id", "must be a JSON object");
    check_refused("{", "id", "not JSON");
    check_refused("{\"separator\":\";;\"}", "id", "one ASCII character");
    check_refused("{\"encoding\":\"ebcdic\"}", "id", "utf-8 or latin1");
}

static void options_say_the_same_as_a_map(void **state) {
    struct fixture f = {0};
    stet_view cells[8];
    size_t count;
    (void)state;
    import_map_init(&f.map);
    f.map.type = VIEW("t");
    assert_int_equal(import_map_field(&f.map, VIEW("a=b=/x=1:number(,)"), &f.err), STET_OK);
    assert_int_equal(import_map_field(&f.map, VIEW("c=/y:z"), &f.err), STET_OK);
    assert_int_equal(import_map_constant(&f.map, VIEW("/s=\"="), &f.err), STET_OK);
    assert_int_equal(import_map_id_column(&f.map, VIEW("c"), &f.err), STET_OK);
    assert_int_equal(import_map_field(&f.map, VIEW("a"), &f.err), STET_BAD_REQUEST);
    assert_int_equal(import_map_constant(&f.map, VIEW("s=1"), &f.err), STET_BAD_REQUEST);
    cells_of("a=b|c", cells, &count);
    assert_int_equal(import_map_begin(&f.map, cells, count, &f.err), STET_OK);
    check_row(&f, "1,5|k",
              "{\"type\":\"t\",\"id\":\"k\",\"data\":{\"x=1\":1.5,\"y:z\":\"k\",\"s\":\"\\\"=\"}}");
    assert_true(view_equal(import_map_column_of(&f.map, VIEW("/x=1/0")), VIEW("a=b")));
    assert_true(view_is_empty(import_map_column_of(&f.map, VIEW("/x"))));
    import_map_done(&f.map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_word_columns_are_members),
        cmocka_unit_test(fields_go_where_they_are_sent),
        cmocka_unit_test(what_is_empty_is_left_out_removed_or_kept),
        cmocka_unit_test(ids_are_made_of_columns),
        cmocka_unit_test(a_row_that_does_not_fit_names_its_column),
        cmocka_unit_test(objects_are_taken_whole_or_by_pointer),
        cmocka_unit_test(a_map_that_makes_no_sense_is_refused),
        cmocka_unit_test(options_say_the_same_as_a_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
