#include "cli/rows.h"

#include "base/view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static FILE *file_of(const void *bytes, size_t size) {
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fflush(file), 0);
    assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
    return file;
}

/* Writes the rows down: "LINE[cell|cell]", "LINE{…}" of JSON, "LINE!why" of bad ones. */
static void must_read(const char *bytes, size_t size, enum rows_format format, char separator,
                      enum rows_encoding encoding, const char *expected) {
    FILE *file = file_of(bytes, size);
    struct rows rows;
    struct row row;
    struct buffer out;
    stet_error err = {0};
    enum rows_answer answer;
    uint64_t end = 0;
    buffer_init(&out, NULL, 0);
    rows_init(&rows, fileno(file), format, separator, encoding);
    while ((answer = rows_next(&rows, &row, &err)) == ROWS_ROW || answer == ROWS_BAD) {
        assert_true(row.end >= end && row.end <= size);
        end = row.end;
        buffer_append_u64(&out, row.line);
        if (answer == ROWS_BAD) buffer_append_format(&out, "!%s", row.why);
        if (answer == ROWS_ROW && format != ROWS_CSV) buffer_append_view(&out, row.json);
        if (answer == ROWS_ROW && format == ROWS_CSV) {
            for (size_t i = 0; i < row.cell_count; i++) {
                buffer_append_char(&out, i == 0 ? '[' : '|');
                buffer_append_view(&out, row.cells[i]);
            }
            buffer_append_char(&out, ']');
        }
        buffer_append_char(&out, '\n');
    }
    if (answer == ROWS_FAILED) buffer_append_format(&out, "failed: %s\n", err.message);
    buffer_append_char(&out, '\0');
    assert_string_equal(out.bytes, expected);
    buffer_done(&out);
    rows_done(&rows);
    fclose(file);
}

static void check_csv(const char *text, const char *expected) {
    must_read(text, strlen(text), ROWS_CSV, ',', ROWS_UTF8, expected);
}

static void check_json(const char *text, const char *expected) {
    must_read(text, strlen(text), ROWS_JSON, ',', ROWS_UTF8, expected);
}

static void cells_are_read_as_rfc_4180_has_them(void **state) {
    (void)state;
    check_csv("a,b\n1,2\n", "1[a|b]\n2[1|2]\n");
    check_csv("a,b\r\n1,2", "1[a|b]\n2[1|2]\n");
    check_csv("a\rb\r", "1[a]\n2[b]\n");
    check_csv("\"a,\"\"x\"\"\",\"line\r\nend\"\nnext,\n", "1[a,\"x\"|line\r\nend]\n3[next|]\n");
    check_csv(",\n\"\",\n", "1[|]\n2[|]\n");
    check_csv("\n\nx\n\r\n", "3[x]\n");
    check_csv("", "");
}

static void a_mark_of_the_encoding_is_no_part_of_the_first_name(void **state) {
    (void)state;
    check_csv("\xEF\xBB\xBFname\nx\n", "1[name]\n2[x]\n");
    check_json("\xEF\xBB\xBF[{}]", "1{}\n");
    must_read("\xFF\xFEx\0", 4, ROWS_CSV, ',', ROWS_UTF8,
              "failed: the file is UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)\n");
}

static void other_separators_will_do(void **state) {
    (void)state;
    must_read("a,b;c\n\"x;y\";z\n", 14, ROWS_CSV, ';', ROWS_UTF8, "1[a,b|c]\n2[x;y|z]\n");
    must_read("a\tb\n", 4, ROWS_CSV, '\t', ROWS_UTF8, "1[a|b]\n");
}

static void broken_quotes_cost_their_line_only(void **state) {
    (void)state;
    check_csv("a,\"b\" c,d\nnext\n", "1!there is text behind a closing quote (cell 2)\n2[next]\n");
    check_csv("5\" pipe,x\nnext\n",
              "1!there is a quote inside a cell that has none around it (cell 1)\n2[next]\n");
    check_csv("a,\"b\nnext\nlast",
              "1!a quote is opened and never closed (cell 2)\n2[next]\n3[last]\n");
}

static void what_a_broken_quote_took_with_it_is_told(void **state) {
    (void)state;
    check_csv(
        "1,\"abc\n2,ok\n3,\"x\"y\nnext\n",
        "1!there is text behind a closing quote (cell 2); lines 1 to 3 are left out\n4[next]\n");
}

static void a_byte_in_the_wrong_encoding_is_named(void **state) {
    (void)state;
    check_csv("a\nM\xFCller,x\nok\n",
              "1[a]\n2!byte 2 of line 2, 0xFC, is not UTF-8 (--encoding latin1?)\n3[ok]\n");
    check_csv("\"ab\ncd\xE4\"\n", "1!byte 3 of line 2, 0xE4, is not UTF-8 (--encoding latin1?)\n");
    must_read("M\xFCller,\x80,\"\xE4\"\"\"\n", 15, ROWS_CSV, ',', ROWS_LATIN1,
              "1[M\xC3\xBCller|\xE2\x82\xAC|\xC3\xA4\"]\n");
    must_read("a\0b\nok\n", 7, ROWS_CSV, ',', ROWS_UTF8,
              "1!byte 2 of it is NUL, which no text has\n2[ok]\n");
}

static void elements_of_an_array_are_rows(void **state) {
    (void)state;
    check_json("[\n {\"a\": \"]},\\\"\"},\n {\"b\":\n [1,2]}\n]\n",
               "2{\"a\": \"]},\\\"\"}\n3{\"b\":\n [1,2]}\n\n");
    check_json("[]", "");
    check_json("[1 , \"x\",null]", "11 \n1\"x\"\n1null\n");
}

static void an_array_that_is_none_says_so(void **state) {
    (void)state;
    check_json("[{\"a\":1},{\"b\"", "1{\"a\":1}\n1!the file ends in the middle of this element\n");
    check_json("[{}\n", "1!the file ends in the middle of this element\n");
    check_json("[{},\n", "1{}\n2!the array is not closed: the file is cut off\n");
    check_json("[{},]", "1{}\n1!there is a comma behind the last element\n");
    check_json("[{},,{}]", "1{}\n1!there is no element before this comma\n1{}\n");
    check_json("[{}] x", "1{}\n1!there is something behind the end of the array\n");
}

static void lines_of_json_are_rows(void **state) {
    (void)state;
    must_read("{\"a\":1}\n\n nonsense\n{}", 21, ROWS_NDJSON, ',', ROWS_UTF8,
              "1{\"a\":1}\n3nonsense\n4{}\n");
    check_json("{\"a\":1}\n{}\n", "1{\"a\":1}\n2{}\n");
}

/* More than what is read at once, and rows that end anywhere in it. */
static void rows_are_found_wherever_reading_stopped(void **state) {
    struct buffer text, expected;
    (void)state;
    buffer_init(&text, NULL, 0);
    buffer_init(&expected, NULL, 0);
    for (unsigned i = 0, line = 1; i < 20000; i++, line += 2) {
        buffer_append_format(&text, "%u,\"a\r\n\"\"%u\"\r\n", i, i % 977);
        buffer_append_format(&expected, "%u[%u|a\r\n\"%u]\n", line, i, i % 977);
    }
    buffer_append_char(&expected, '\0');
    must_read(text.bytes, text.size, ROWS_CSV, ',', ROWS_UTF8, expected.bytes);
    buffer_done(&text);
    buffer_done(&expected);
}

static void a_row_that_is_too_long_is_passed_over(void **state) {
    struct buffer text;
    char expected[200];
    (void)state;
    buffer_init(&text, NULL, 0);
    buffer_append_text(&text, "a,\"open\n");
    char *room = buffer_reserve(&text, ROWS_ROW_BYTES_MAX + 1000);
    assert_non_null(room);
    memset(room, 'x', ROWS_ROW_BYTES_MAX + 1000);
    buffer_advance(&text, ROWS_ROW_BYTES_MAX + 1000);
    buffer_append_text(&text, "\nlast\n");
    snprintf(expected, sizeof expected,
             "1!is longer than %d bytes: is there a quote that is never closed?\n"
             "2!is longer than %d bytes: is there a quote that is never closed?\n3[last]\n",
             ROWS_ROW_BYTES_MAX, ROWS_ROW_BYTES_MAX);
    must_read(text.bytes, text.size, ROWS_CSV, ',', ROWS_UTF8, expected);
    buffer_reset(&text);
    buffer_append_text(&text, "[\"");
    room = buffer_reserve(&text, ROWS_ROW_BYTES_MAX + 300000);
    assert_non_null(room);
    memset(room, 'x', ROWS_ROW_BYTES_MAX + 300000);
    buffer_advance(&text, ROWS_ROW_BYTES_MAX + 300000);
    buffer_append_text(&text, "\",\n{}]");
    snprintf(expected, sizeof expected, "1!is longer than %d bytes\n2{}\n", ROWS_ROW_BYTES_MAX);
    must_read(text.bytes, text.size, ROWS_JSON, ',', ROWS_UTF8, expected);
    buffer_done(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_read_as_rfc_4180_has_them),
        cmocka_unit_test(a_mark_of_the_encoding_is_no_part_of_the_first_name),
        cmocka_unit_test(other_separators_will_do),
        cmocka_unit_test(broken_quotes_cost_their_line_only),
        cmocka_unit_test(what_a_broken_quote_took_with_it_is_told),
        cmocka_unit_test(a_byte_in_the_wrong_encoding_is_named),
        cmocka_unit_test(elements_of_an_array_are_rows),
        cmocka_unit_test(an_array_that_is_none_says_so),
        cmocka_unit_test(lines_of_json_are_rows),
        cmocka_unit_test(rows_are_found_wherever_reading_stopped),
        cmocka_unit_test(a_row_that_is_too_long_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
