/*
 * Laws of merging by rules, tried on random definitions and documents: 100,000 cases a run, fewer under the sanitizers.
 * STET_SEED repeats a run, STET_ROUNDS changes its length.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "doc/doc_testing.h"
#include "doc/random_doc.h"
#include "doc/rules.h"

#if defined(__SANITIZE_ADDRESS__)
#define SLOW 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW 1
#endif
#endif
#ifdef SLOW
#define CASES 10000
#else
#define CASES 100000
#endif

static struct entropy_seeded seeded;
static uint64_t seed;

#define CHECK(condition)                                                                           \
    if (!(condition)) fail_msg("seed %llu: %s", (unsigned long long)seed, #condition)

static uint64_t below(uint64_t bound) { return random_below(&seeded.entropy, bound); }

#define PICK(texts) (texts)[below(sizeof(texts) / sizeof((texts)[0]))]

/* ---- Random values, of the kinds that rules are about ---- */

static void put_number(struct buffer *out) {
    static const char *const numbers[] = {"0", "1",     "2",    "-3", "2.50", "0.1",   "1e2",
                                          "7", "1e999", "10.0", "12", "5e-1", "1e2000"};
    buffer_append_text(out, PICK(numbers));
}

static void put_text(struct buffer *out) {
    static const char *const pieces[] = {"a", "b ", "c\\n", "\\u0064 ", "e\\n", "\\n", "f, ", ""};
    buffer_append_char(out, '"');
    for (uint64_t left = below(8); left > 0; left--)
        buffer_append_text(out, PICK(pieces));
    buffer_append_char(out, '"');
}

static void put_scalars(struct buffer *out) {
    buffer_append_char(out, '[');
    for (uint64_t left = below(6), i = 0; i < left; i++)
        buffer_append_format(out, "%s%llu", i == 0 ? "" : ",", (unsigned long long)below(6));
    buffer_append_char(out, ']');
}

static void put_elements(struct buffer *out) {
    uint64_t first = below(4);
    uint64_t count = below(5);
    buffer_append_char(out, '[');
    for (uint64_t i = 0; i < count; i++) {
        if (i > 0) buffer_append_char(out, ',');
        uint64_t key = below(12) == 0 ? below(4) : first + i; /* Sometimes doubled. */
        if (below(40) == 0) {
            buffer_append_text(out, "{\"x\":1}");
        } else {
            buffer_append_format(out, "{\"k\":%llu,\"x\":%llu,\"y\":%llu}",
                                 (unsigned long long)key % 6, (unsigned long long)below(3),
                                 (unsigned long long)below(3));
        }
    }
    buffer_append_char(out, ']');
}

static void put_object(struct buffer *out) {
    bool comma = false;
    static const char *const names[] = {"x", "y", "z"};
    buffer_append_char(out, '{');
    for (size_t i = 0; i < 3; i++) {
        if (below(4) == 0) continue;
        buffer_append_format(out, "%s\"%s\":%llu", comma ? "," : "", names[i],
                             (unsigned long long)below(3));
        comma = true;
    }
    buffer_append_char(out, '}');
}

static void put_kind(struct buffer *out, uint64_t kind) {
    switch (kind) {
    case 0: put_number(out); break;
    case 1: put_text(out); break;
    case 2: put_scalars(out); break;
    case 3: put_elements(out); break;
    case 4: put_object(out); break;
    default: random_value(&seeded.entropy, out, 2, false); break;
    }
}

static const char names[] = "abcdefgh";
enum { NAMES = sizeof names - 1 };

/* Each name mostly has one kind, so that base, x and y are alike. */
static struct doc random_record(const struct doc *base) {
    struct buffer text;
    bool comma = false;
    buffer_init(&text, &test_arena, 0);
    buffer_append_char(&text, '{');
    for (uint64_t i = 0; i < NAMES; i++) {
        doc_node old = base == NULL ? DOC_NONE : doc_member(base, 0, view_make(&names[i], 1));
        bool keep = base != NULL && below(3) != 0;
        if (keep ? old == DOC_NONE : below(8) == 0) continue;
        buffer_append_format(&text, "%s\"%c\":", comma ? "," : "", names[i]);
        comma = true;
        if (keep) {
            buffer_append_view(&text, doc_text(base, old));
        } else {
            put_kind(&text, below(12) == 0 ? 5 : i % 5);
        }
    }
    buffer_append_char(&text, '}');
    assert_int_equal(buffer_status(&text), STET_OK);
    return must_parse_view(buffer_view(&text));
}

/* ---- Random rules ---- */

static void put_rule(struct buffer *out, bool fits, uint64_t name) {
    static const char *const any[] = {"reject", "last_writer_wins", "first", "atomic", "immutable"};
    static const char *const fitting[5][3] = {
        {"delta", "min", "max"},
        {"text", "min", "text"},
        {"set", "append", "set"},
        {"by_key", "by_key", "set"},
        {"atomic", "last_writer_wins", "first"},
    };
    const char *rule = fits ? fitting[name % 5][below(3)] : PICK(any);
    buffer_append_format(out, "{\"merge\":\"%s\"", rule);
    if (strcmp(rule, "by_key") == 0) {
        buffer_append_text(out, ",\"key\":\"k\",\"fields\":{\"/x\":");
        put_rule(out, below(2) == 0, 0);
        buffer_append_char(out, '}');
    }
    if (strcmp(rule, "delta") == 0 && below(3) == 0) buffer_append_text(out, ",\"maximum\":10");
    buffer_append_char(out, '}');
}

/* *guards: some rule may refuse a change that only yours made. */
static const struct doc_rules *random_rules(bool *guards) {
    for (;;) {
        struct buffer text;
        bool comma = false;
        buffer_init(&text, &test_arena, 0);
        buffer_append_text(&text, "{\"fields\":{");
        for (uint64_t i = 0; i < NAMES; i++) {
            if (below(3) == 0) continue;
            const char *below_it = below(6) != 0 ? "" : below(2) == 0 ? "/x" : "/*";
            buffer_append_format(&text, "%s\"/%c%s\":", comma ? "," : "", names[i], below_it);
            comma = true;
            put_rule(&text, *below_it == '\0' && below(4) != 0, i);
        }
        if (below(4) == 0) {
            buffer_append_format(&text, "%s\"/%s\":", comma ? "," : "",
                                 below(2) == 0 ? "*" : "*/x");
            put_rule(&text, false, 0);
        }
        buffer_append_text(&text, "},\"units\":[");
        if (below(2) == 0) buffer_append_text(&text, "[\"/a\",\"/e/x\",\"/b\"]");
        buffer_append_text(&text, "]}");
        struct doc definition = must_parse_view(buffer_view(&text));
        struct doc_rules *rules;
        stet_error err = {0};
        stet_status status =
            rules_compile(&test_arena, &definition, doc_member(&definition, 0, VIEW("fields")),
                          doc_member(&definition, 0, VIEW("units")), &rules, &err);
        CHECK(status == STET_OK || (status == STET_INVALID_TYPE && err.field[0] == '/'));
        if (status != STET_OK) {
            CHECK(doc_pointer(&definition, view_of(err.field)) != DOC_NONE);
            continue;
        }
        *guards = memmem(text.bytes, text.size, "immutable", 9) != NULL;
        return rules;
    }
}

/* ---- Laws ---- */

static bool same(const struct doc *a, const struct doc *b) { return doc_equal(a, 0, b, 0); }

static struct doc_merge_result merge(const struct doc *base, const struct doc *current,
                                     const struct doc *yours, const struct doc_rules *rules) {
    struct doc_merge_result result;
    CHECK(doc_merge(&test_arena, base, current, yours, rules, 0, &result, NULL) == STET_OK);
    return result;
}

static bool gives(const struct doc_merge_result *result, const struct doc *expected) {
    struct doc merged = must_parse_view(result->merged);
    return result->clean && same(&merged, expected);
}

/* What a merge says of its fields is what it did. */
static void check_fields(const struct doc *base, const struct doc *current, const struct doc *yours,
                         const struct doc_merge_result *result) {
    struct doc merged = must_parse_view(result->merged);
    bool clean = true;
    for (size_t i = 0; i < result->field_count; i++) {
        const struct doc_merge_field *field = &result->fields[i];
        doc_node node = doc_pointer(&merged, field->pointer);
        CHECK((node == DOC_NONE) == (field->merged.size == 0));
        if (node != DOC_NONE) CHECK(view_equal(doc_text(&merged, node), field->merged));
        if (field->dropped != DOC_DROPPED_NONE) CHECK(field->state == DOC_MERGED);
        if (field->list.bytes == NULL) {
            CHECK(doc_pointer(base, field->pointer) == field->base);
            CHECK(doc_pointer(current, field->pointer) == field->current);
            CHECK(doc_pointer(yours, field->pointer) == field->yours);
        } else {
            CHECK(view_starts(field->pointer, field->list));
            CHECK(field->current != DOC_NONE && field->yours != DOC_NONE);
        }
        if (field->state != DOC_CONFLICT) continue;
        clean = false;
        CHECK((field->current == DOC_NONE) == (field->merged.size == 0));
        if (field->current != DOC_NONE)
            CHECK(view_equal(doc_text(current, field->current), field->merged));
    }
    CHECK(clean == result->clean);
}

static void check_steps(const struct doc *base, const struct doc *current, const struct doc *yours,
                        const struct doc_rules *rules, const struct doc_merge_result *result) {
    struct doc_merge_result again;
    CHECK(doc_merge(&test_arena, base, current, yours, rules, result->steps, &again, NULL) ==
          STET_OK);
    CHECK(view_equal(again.merged, result->merged));
    if (result->steps < 2) return;
    CHECK(doc_merge(&test_arena, base, current, yours, rules, result->steps - 1, &again, NULL) ==
          STET_TOO_LARGE);
}

static void check_laws(void) {
    bool guards;
    const struct doc_rules *rules = random_rules(&guards);
    struct doc base = random_record(NULL);
    struct doc x = random_record(&base);
    struct doc y = random_record(&base);
    struct doc_merge_result result = merge(&base, &x, &base, rules);
    CHECK(gives(&result, &x));
    result = merge(&base, &base, &x, rules);
    CHECK(guards || gives(&result, &x));
    check_fields(&base, &base, &x, &result);
    result = merge(&base, &x, &x, rules);
    CHECK(rules_count(rules) || gives(&result, &x));
    check_fields(&base, &x, &x, &result);
    result = merge(&base, &x, &y, rules);
    check_fields(&base, &x, &y, &result);
    check_steps(&base, &x, &y, rules, &result);
    /* What came out of a merge without conflict is a version like any other. */
    struct doc merged = must_parse_view(result.merged);
    result = merge(&base, &merged, &base, rules);
    CHECK(gives(&result, &merged));
}

/* ---- Rules that do not care who came first ---- */

static struct doc random_field(uint64_t kind) {
    struct buffer text;
    buffer_init(&text, &test_arena, 0);
    put_kind(&text, kind);
    return must_parse_view(buffer_view(&text));
}

static bool is_subset(const struct doc *a, const struct doc *b) {
    for (doc_node child = doc_first(a, 0); child != DOC_NONE; child = doc_next(a, child)) {
        doc_node other = doc_first(b, 0);
        while (other != DOC_NONE && !doc_equal(a, child, b, other))
            other = doc_next(b, other);
        if (other == DOC_NONE) return false;
    }
    return true;
}

static void check_commutes(void) {
    static const char *const rule_names[] = {"delta", "set", "text", "min", "max"};
    static const uint64_t kinds[] = {0, 2, 1, 0, 1};
    uint64_t rule = below(5);
    struct doc definition = must_parse_view(
        arena_format(&test_arena, "{\"fields\":{\"\":{\"merge\":\"%s\"}}}", rule_names[rule]));
    struct doc_rules *rules;
    CHECK(rules_compile(&test_arena, &definition, doc_member(&definition, 0, VIEW("fields")),
                        DOC_NONE, &rules, NULL) == STET_OK);
    struct doc base = random_field(kinds[rule]);
    struct doc x = random_field(kinds[rule]);
    struct doc y = random_field(kinds[rule]);
    struct doc_merge_result one = merge(&base, &x, &y, rules);
    struct doc_merge_result other = merge(&base, &y, &x, rules);
    CHECK(one.clean == other.clean);
    if (!one.clean) return;
    struct doc a = must_parse_view(one.merged);
    struct doc b = must_parse_view(other.merged);
    if (rule != 1) {
        CHECK(same(&a, &b));
    } else {
        CHECK(is_subset(&a, &b) && is_subset(&b, &a));
    }
}

static void repeat(void (*check)(void), unsigned long long rounds) {
    const char *text = getenv("STET_SEED");
    const char *rounds_text = getenv("STET_ROUNDS");
    unsigned long long first =
        text == NULL ? entropy_u64(entropy_system()) : strtoull(text, NULL, 10);
    if (rounds_text != NULL) rounds = strtoull(rounds_text, NULL, 10);
    print_message("%llu seeds from %llu (STET_SEED repeats)\n", rounds, first);
    for (unsigned long long i = 0; i < rounds; i++) {
        seed = first + i;
        entropy_seeded_init(&seeded, seed);
        check();
        arena_reset(&test_arena);
    }
}

static void merging_by_rules_keeps_its_laws(void **state) {
    (void)state;
    repeat(check_laws, CASES / 2);
}

static void it_does_not_matter_who_came_first(void **state) {
    (void)state;
    repeat(check_commutes, CASES / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(merging_by_rules_keeps_its_laws),
        ARENA_TEST(it_does_not_matter_who_came_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
