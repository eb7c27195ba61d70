/*
 * Conformance with public suites, read where they are: JSONTestSuite (parsing) and json-patch-tests.
 */
#include "doc/doc_testing.h"
#include "doc/item.h"

#include <dirent.h>

/* Files the suite accepts and Stet refuses, on purpose: a duplicate key loses one of two values silently. */
static const char *const duplicates[] = {"y_object_duplicated_key.json",
                                         "y_object_duplicated_key_and_value.json"};

/* What the suite leaves open, and what Stet chose: numbers of any size are kept as they are spelled; text that is not UTF-8,
 * or that UTF-8 could not hold, is refused, and so are a byte order mark and more than 128 levels. */
static const struct {
    const char *name;
    bool accepted;
} choices[] = {
    {"i_number_double_huge_neg_exp.json", true},
    {"i_number_huge_exp.json", true},
    {"i_number_neg_int_huge_exp.json", true},
    {"i_number_pos_double_huge_exp.json", true},
    {"i_number_real_neg_overflow.json", true},
    {"i_number_real_pos_overflow.json", true},
    {"i_number_real_underflow.json", true},
    {"i_number_too_big_neg_int.json", true},
    {"i_number_too_big_pos_int.json", true},
    {"i_number_very_big_negative_int.json", true},
    {"i_object_key_lone_2nd_surrogate.json", false},
    {"i_string_1st_surrogate_but_2nd_missing.json", false},
    {"i_string_1st_valid_surrogate_2nd_invalid.json", false},
    {"i_string_UTF-16LE_with_BOM.json", false},
    {"i_string_UTF-8_invalid_sequence.json", false},
    {"i_string_UTF8_surrogate_U+D800.json", false},
    {"i_string_incomplete_surrogate_and_escape_valid.json", false},
    {"i_string_incomplete_surrogate_pair.json", false},
    {"i_string_incomplete_surrogates_escape_valid.json", false},
    {"i_string_invalid_lonely_surrogate.json", false},
    {"i_string_invalid_surrogate.json", false},
    {"i_string_invalid_utf-8.json", false},
    {"i_string_inverted_surrogates_U+1D11E.json", false},
    {"i_string_iso_latin_1.json", false},
    {"i_string_lone_second_surrogate.json", false},
    {"i_string_lone_utf8_continuation_byte.json", false},
    {"i_string_not_in_unicode_range.json", false},
    {"i_string_overlong_sequence_2_bytes.json", false},
    {"i_string_overlong_sequence_6_bytes.json", false},
    {"i_string_overlong_sequence_6_bytes_null.json", false},
    {"i_string_truncated-utf-8.json", false},
    {"i_string_utf16BE_no_BOM.json", false},
    {"i_string_utf16LE_no_BOM.json", false},
    {"i_structure_500_nested_arrays.json", false},
    {"i_structure_UTF-8_BOM_empty_object.json", false},
};

enum { PARSING_FILES = 318 };

static const char *vectors_folder(void) {
    const char *folder = getenv("STET_VECTORS");
    if (folder == NULL || *folder == '\0')
        folder = getenv("STET_VECTORS_DEFAULT"); /* Set by the build. */
    if (folder == NULL || *folder == '\0')
        fail_msg("STET_VECTORS does not name the folder of test vectors");
    return folder;
}

static stet_view must_read(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) fail_msg("test vectors are missing: cannot open %s (set STET_VECTORS)", path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = arena_bytes(&test_arena, size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    return view_make(bytes, size);
}

/* 'y', 'n', or 'i' for a file that is missing in the table of choices. */
static char expected(const char *name) {
    for (size_t i = 0; i < sizeof duplicates / sizeof duplicates[0]; i++) {
        if (strcmp(name, duplicates[i]) == 0) return 'n';
    }
    for (size_t i = 0; i < sizeof choices / sizeof choices[0]; i++) {
        if (strcmp(name, choices[i].name) == 0) return choices[i].accepted ? 'y' : 'n';
    }
    return name[0];
}

static void parsing_is_as_written_down(void **state) {
    (void)state;
    char folder[4000];
    snprintf(folder, sizeof folder, "%s/json-parsing", vectors_folder());
    DIR *dir = opendir(folder);
    if (dir == NULL)
        fail_msg("test vectors are missing: cannot open %s (set STET_VECTORS)", folder);
    int files = 0;
    int wrong = 0;
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (strstr(entry->d_name, ".json") == NULL) continue;
        files++;
        struct doc doc;
        stet_view text = must_read(folder, entry->d_name);
        char *exact = malloc(text.size == 0 ? 1 : text.size); /* Reading past the end is caught. */
        assert_non_null(exact);
        if (text.size > 0) memcpy(exact, text.bytes, text.size);
        stet_status status = doc_parse(&test_arena, view_make(exact, text.size), NULL, &doc, NULL);
        free(exact);
        char verdict = status == STET_OK ? 'y' : 'n';
        if (verdict != expected(entry->d_name)) {
            wrong++;
            print_error("%s: %s\n", entry->d_name, status == STET_OK ? "accepted" : "refused");
        }
    }
    closedir(dir);
    assert_int_equal(wrong, 0);
    assert_int_equal(files, PARSING_FILES);
}

/* The next element of the file's array, as text. Two disabled cases hold a duplicate key, so the file as a whole would be
 * refused; only quotes and braces are looked at here. */
static bool next_case(stet_view *rest, stet_view *text) {
    size_t depth = 0;
    bool quoted = false;
    const char *begin = NULL;
    for (size_t i = 0; i < rest->size; i++) {
        char c = rest->bytes[i];
        if (quoted) {
            if (c == '\\') i++;
            if (c == '"') quoted = false;
        } else if (c == '"') {
            quoted = true;
        } else if (c == '{') {
            if (depth++ == 0) begin = rest->bytes + i;
        } else if (c == '}' && --depth == 0) {
            *text = view_make(begin, (size_t)(rest->bytes + i + 1 - begin));
            *rest = view_make(rest->bytes + i + 1, rest->size - i - 1);
            return true;
        }
    }
    return false;
}

static struct doc member_doc(const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    assert_int_not_equal(node, DOC_NONE);
    return must_parse_view(doc_text(doc, node));
}

static bool case_holds(const struct doc *test) {
    struct doc target = member_doc(test, "doc");
    struct doc patch = member_doc(test, "patch");
    stet_view out;
    stet_status status = doc_json_patch(&test_arena, &target, &patch, &out, NULL);
    if (doc_member(test, 0, VIEW("error")) != DOC_NONE) return status != STET_OK;
    if (status != STET_OK) return false;
    doc_node node = doc_member(test, 0, VIEW("expected"));
    struct doc result = must_parse_view(out);
    return node == DOC_NONE || doc_equal(&result, 0, test, node);
}

static void check_patch_file(const char *name, int cases_expected, int disabled_expected) {
    char folder[4000];
    snprintf(folder, sizeof folder, "%s/json-patch", vectors_folder());
    stet_view rest = must_read(folder, name);
    stet_view text;
    int cases = 0;
    int disabled = 0;
    int wrong = 0;
    while (next_case(&rest, &text)) {
        cases++;
        struct doc test;
        stet_error err;
        if (doc_parse(&test_arena, text, NULL, &test, &err) != STET_OK) {
            if (strstr(err.message, "twice") == NULL) fail_msg("%s: %s", name, err.message);
            disabled++;
        } else if (doc_member(&test, 0, VIEW("disabled")) != DOC_NONE) {
            disabled++;
        } else if (!case_holds(&test)) {
            wrong++;
            print_error("%s: %.*s\n", name, VIEW_ARG(text));
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(disabled, disabled_expected);
    assert_int_equal(cases, cases_expected);
}

static void every_json_patch_case_holds(void **state) {
    (void)state;
    check_patch_file("spec_tests.json", 17, 1);
    check_patch_file("tests.json", 95, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(parsing_is_as_written_down),
        ARENA_TEST(every_json_patch_case_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
