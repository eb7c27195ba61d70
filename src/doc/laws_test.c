/*
 * Laws, tried on random documents. STET_SEED repeats a run, STET_ROUNDS lengthens it.
 */
#include "doc/doc_testing.h"
#include "doc/random_doc.h"
#include "doc/write.h"

static struct entropy_seeded seeded;
static uint64_t seed;

static struct doc random_doc(void) {
    struct buffer buffer;
    buffer_init(&buffer, &test_arena, 0);
    random_value(&seeded.entropy, &buffer, 4, random_below(&seeded.entropy, 4) != 0);
    assert_int_equal(buffer_status(&buffer), STET_OK);
    return must_parse_view(buffer_view(&buffer));
}

/* Somewhere near doc: some of its fields replaced by those of another, by a merge patch. */
static struct doc near(const struct doc *doc) {
    struct doc other = random_doc();
    stet_view out;
    assert_int_equal(doc_merge_patch(&test_arena, doc, &other, &out, NULL), STET_OK);
    return must_parse_view(out);
}

static bool same(const struct doc *a, const struct doc *b) { return doc_equal(a, 0, b, 0); }

#define CHECK(condition)                                                                           \
    if (!(condition)) fail_msg("seed %llu: %s", (unsigned long long)seed, #condition)

static struct doc must_merge(const struct doc *base, const struct doc *current,
                             const struct doc *yours, bool clean) {
    struct doc_merge_result result;
    CHECK(doc_merge(&test_arena, base, current, yours, NULL, 0, &result, NULL) == STET_OK);
    CHECK(!clean || result.clean);
    return must_parse_view(result.merged);
}

static void check_merge(void) {
    struct doc base = random_doc();
    struct doc x = near(&base);
    struct doc y = near(&base);
    struct doc taken = must_merge(&base, &x, &base, true);
    CHECK(same(&taken, &x));
    struct doc applied = must_merge(&base, &base, &x, true);
    CHECK(same(&applied, &x));
    struct doc agreed = must_merge(&base, &x, &x, true);
    CHECK(same(&agreed, &x));
    /* A clean merge does not care who came first. */
    struct doc_merge_result result;
    CHECK(doc_merge(&test_arena, &base, &x, &y, NULL, 0, &result, NULL) == STET_OK);
    struct doc merged = must_parse_view(result.merged);
    if (result.clean) {
        struct doc other = must_merge(&base, &y, &x, true);
        CHECK(same(&merged, &other));
    }
    /* What is merged is what the fields say. */
    for (size_t i = 0; i < result.field_count; i++) {
        const struct doc_merge_field *field = &result.fields[i];
        doc_node node = doc_pointer(&merged, field->pointer);
        CHECK((node == DOC_NONE) == (field->merged.size == 0));
        if (node != DOC_NONE) CHECK(view_equal(doc_text(&merged, node), field->merged));
    }
}

/* A diff, as a JSON patch: removals, then additions and replacements. */
static stet_view patch_of(const struct doc *b, const struct doc_difference *differences,
                          size_t count) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, &test_arena, 0);
    json_begin(&writer, &buffer);
    json_array_begin(&writer);
    for (size_t i = 0; i < count; i++) {
        const struct doc_difference *difference = &differences[i];
        json_object_begin(&writer);
        json_member_text(&writer, VIEW("op"),
                         difference->b == DOC_NONE ? VIEW("remove") : VIEW("add"));
        json_member_text(&writer, VIEW("path"), difference->pointer);
        if (difference->b != DOC_NONE)
            json_member_raw(&writer, VIEW("value"), doc_text(b, difference->b));
        json_object_end(&writer);
    }
    json_array_end(&writer);
    assert_int_equal(json_end(&writer), STET_OK);
    return buffer_view(&buffer);
}

static void check_diff(void) {
    struct doc a = random_doc();
    struct doc b = near(&a);
    struct doc_difference *differences;
    size_t count;
    CHECK(doc_diff(&test_arena, &a, &b, &differences, &count, NULL) == STET_OK);
    CHECK((count == 0) == same(&a, &b));
    struct doc patch = must_parse_view(patch_of(&b, differences, count));
    stet_view out;
    CHECK(doc_json_patch(&test_arena, &a, &patch, &out, NULL) == STET_OK);
    struct doc patched = must_parse_view(out);
    CHECK(same(&patched, &b));
    for (size_t i = 0; i < count; i++) {
        CHECK(doc_pointer(&a, differences[i].pointer) == differences[i].a);
        CHECK(doc_pointer(&b, differences[i].pointer) == differences[i].b);
    }
}

/* The same value with members reversed, blanks dropped and every character of strings escaped. */
static void respell(const struct doc *doc, doc_node node, struct buffer *out) {
    enum doc_kind kind = doc_kind(doc, node);
    if (kind != DOC_OBJECT && kind != DOC_ARRAY) {
        stet_view text = doc_text(doc, node);
        if (kind == DOC_NUMBER) buffer_append_view(out, text);
        if (kind == DOC_NUMBER && memchr(text.bytes, 'e', text.size) == NULL)
            buffer_append_text(out, "E-0");
        if (kind == DOC_STRING) {
            stet_view decoded;
            assert_int_equal(doc_string(&test_arena, doc, node, &decoded), STET_OK);
            buffer_append_char(out, '"');
            for (size_t i = 0; i < decoded.size; i++) {
                unsigned char c = (unsigned char)decoded.bytes[i];
                if (c < 0x80) {
                    buffer_append_format(out, "\\u%04X", c);
                } else {
                    buffer_append_char(out, (char)c);
                }
            }
            buffer_append_char(out, '"');
        }
        if (kind < DOC_NUMBER) buffer_append_view(out, text);
        return;
    }
    doc_node children[64];
    size_t count = 0;
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child))
        children[count++] = child;
    buffer_append_char(out, kind == DOC_OBJECT ? '{' : '[');
    for (size_t i = 0; i < count; i++) {
        doc_node child = kind == DOC_OBJECT ? children[count - 1 - i] : children[i];
        if (i > 0) buffer_append_char(out, ',');
        if (kind == DOC_OBJECT) {
            stet_view key;
            assert_int_equal(doc_key(&test_arena, doc, child, &key), STET_OK);
            json_string(out, key);
            buffer_append_char(out, ':');
        }
        respell(doc, child, out);
    }
    buffer_append_char(out, kind == DOC_OBJECT ? '}' : ']');
}

static void check_hash(void) {
    struct doc a = random_doc();
    struct doc b = random_doc();
    if (same(&a, &b)) CHECK(doc_hash(&a, 0) == doc_hash(&b, 0));
    struct buffer buffer;
    buffer_init(&buffer, &test_arena, 0);
    respell(&a, 0, &buffer);
    struct doc c = must_parse_view(buffer_view(&buffer));
    CHECK(same(&a, &c));
    CHECK(same(&c, &a));
    CHECK(doc_hash(&a, 0) == doc_hash(&c, 0));
}

static void check_merge_patch(void) {
    struct doc target = random_doc();
    struct doc patch = random_doc();
    stet_view out;
    CHECK(doc_merge_patch(&test_arena, &target, &patch, &out, NULL) == STET_OK);
    struct doc once = must_parse_view(out);
    CHECK(doc_merge_patch(&test_arena, &once, &patch, &out, NULL) == STET_OK);
    struct doc twice = must_parse_view(out);
    CHECK(same(&once,
               &twice)); /* A merge patch says what shall be: saying it again changes nothing. */
}

static void repeat(void (*check)(void)) {
    const char *text = getenv("STET_SEED");
    const char *rounds_text = getenv("STET_ROUNDS");
    unsigned long long first =
        text == NULL ? entropy_u64(entropy_system()) : strtoull(text, NULL, 10);
    unsigned long long rounds = rounds_text == NULL ? 3000 : strtoull(rounds_text, NULL, 10);
    print_message("seeds from %llu (STET_SEED repeats)\n", first);
    for (unsigned long long i = 0; i < rounds; i++) {
        seed = first + i;
        entropy_seeded_init(&seeded, seed);
        check();
        arena_reset(&test_arena);
    }
}

static void merging_keeps_its_laws(void **state) {
    (void)state;
    repeat(check_merge);
}

static void a_diff_is_a_patch(void **state) {
    (void)state;
    repeat(check_diff);
}

static void equal_values_have_equal_hashes(void **state) {
    (void)state;
    repeat(check_hash);
}

static void a_merge_patch_is_idempotent(void **state) {
    (void)state;
    repeat(check_merge_patch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(merging_keeps_its_laws),
        ARENA_TEST(a_diff_is_a_patch),
        ARENA_TEST(equal_values_have_equal_hashes),
        ARENA_TEST(a_merge_patch_is_idempotent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
