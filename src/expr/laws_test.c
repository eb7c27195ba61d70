/*
 * Random expressions against another way of working them out: while an expression is written, its value for a few documents is
 * computed beside it from plain C values. And bounds must hold for whatever matches. STET_SEED repeats a run, STET_ROUNDS
 * lengthens it.
 */
#include "expr/expr_testing.h"
#include "expr/node.h"

#include <time.h>

enum { DOCUMENTS = 4, FIELDS = 3 };

static struct entropy_seeded seeded;
static uint64_t seed;

/* A value as the other way sees it. Numbers and texts are chosen so that doubles and strcmp are exact. */
struct plain {
    enum { PLAIN_ABSENT, PLAIN_NULL, PLAIN_BOOL, PLAIN_NUMBER, PLAIN_TEXT } kind;
    bool boolean;
    double number;
    const char *text;
    const char *json;
};

static const struct plain values[] = {
    {PLAIN_ABSENT, false, 0, "", ""},
    {PLAIN_NULL, false, 0, "", "null"},
    {PLAIN_BOOL, true, 0, "", "true"},
    {PLAIN_BOOL, false, 0, "", "false"},
    {PLAIN_NUMBER, false, 0, "", "0"},
    {PLAIN_NUMBER, false, 0, "", "-0.0"},
    {PLAIN_NUMBER, false, 1.5, "", "15e-1"},
    {PLAIN_NUMBER, false, 1.5, "", "1.50"},
    {PLAIN_NUMBER, false, -2, "", "-2"},
    {PLAIN_NUMBER, false, 1e6, "", "1e6"},
    {PLAIN_TEXT, false, 0, "", "\"\""},
    {PLAIN_TEXT, false, 0, "ab", "\"ab\""},
    {PLAIN_TEXT, false, 0, "ab", "\"\\u0061b\""},
    {PLAIN_TEXT, false, 0, "abc", "\"abc\""},
    {PLAIN_TEXT, false, 0, "b\n", "\"b\\n\""},
    {PLAIN_TEXT, false, 0, "\xc3\xbc", "\"\xc3\xbc\""},
};
enum { VALUES = sizeof values / sizeof values[0] };

static uint64_t below(uint64_t bound) { return entropy_u64(&seeded.entropy) % bound; }

static const struct plain *any_value(bool literal) {
    return &values[literal ? 1 + below(VALUES - 1) : below(VALUES)];
}

static struct {
    const struct plain *fields[FIELDS];
    struct doc doc;
} records[DOCUMENTS];

static void make_records(void) {
    for (int record = 0; record < DOCUMENTS; record++) {
        struct buffer text;
        bool first = true;
        buffer_init(&text, &test_arena, 0);
        buffer_append_char(&text, '{');
        for (int field = 0; field < FIELDS; field++) {
            const struct plain *value = any_value(false);
            records[record].fields[field] = value;
            if (value->kind == PLAIN_ABSENT) continue;
            buffer_append_format(&text, "%s\"f%d\":%s", first ? "" : ",", field, value->json);
            first = false;
        }
        buffer_append_char(&text, '}');
        records[record].doc = must_parse_view(buffer_view(&text));
    }
}

static bool plain_equal(const struct plain *a, const struct plain *b) {
    bool a_null = a->kind == PLAIN_ABSENT || a->kind == PLAIN_NULL;
    bool b_null = b->kind == PLAIN_ABSENT || b->kind == PLAIN_NULL;
    if (a_null || b_null) return a_null && b_null;
    return a->kind == b->kind && a->boolean == b->boolean && a->number == b->number &&
           strcmp(a->text, b->text) == 0;
}

static bool plain_order(const struct plain *a, const struct plain *b, int *order) {
    if (a->kind != b->kind || (a->kind != PLAIN_NUMBER && a->kind != PLAIN_TEXT)) return false;
    *order = a->kind == PLAIN_TEXT ? strcmp(a->text, b->text)
                                   : (a->number > b->number) - (a->number < b->number);
    return true;
}

static bool plain_compare(int op, const struct plain *a, const struct plain *b) {
    int order = 0;
    bool ordered = plain_order(a, b, &order);
    bool texts = a->kind == PLAIN_TEXT && b->kind == PLAIN_TEXT;
    switch (op) {
    case 0: return plain_equal(a, b);
    case 1: return !plain_equal(a, b);
    case 2: return ordered && order < 0;
    case 3: return ordered && order <= 0;
    case 4: return ordered && order > 0;
    case 5: return ordered && order >= 0;
    case 6: return texts && strstr(a->text, b->text) != NULL;
    case 7: return texts && strncmp(a->text, b->text, strlen(b->text)) == 0;
    default: return false;
    }
}

static void write_comparison(struct buffer *out, bool truth[DOCUMENTS]) {
    static const char *const operators[] = {
        "=", "!=", "<", "<=", ">", ">=", "contains", "starts_with"};
    int field = (int)below(FIELDS);
    int other = (int)below(FIELDS);
    bool literal = below(4) != 0;
    bool turned = literal && below(4) == 0;
    int op = (int)below(8);
    const struct plain *constant = any_value(true);
    char left[64];
    char right[64];
    sprintf(left, "f%d", field);
    if (literal)
        sprintf(right, "%s", constant->json);
    else
        sprintf(right, "f%d", other);
    buffer_append_format(out, "%s %s %s", turned ? right : left, operators[op],
                         turned ? left : right);
    for (int record = 0; record < DOCUMENTS; record++) {
        const struct plain *a = records[record].fields[field];
        const struct plain *b = literal ? constant : records[record].fields[other];
        truth[record] = turned ? plain_compare(op, b, a) : plain_compare(op, a, b);
    }
}

static void write_in(struct buffer *out, bool truth[DOCUMENTS]) {
    int field = (int)below(FIELDS);
    uint64_t count = below(4);
    buffer_append_format(out, "f%d in [", field);
    memset(truth, 0, DOCUMENTS * sizeof truth[0]);
    for (uint64_t index = 0; index < count; index++) {
        const struct plain *constant = any_value(true);
        buffer_append_format(out, "%s%s", index == 0 ? "" : ",", constant->json);
        for (int record = 0; record < DOCUMENTS; record++)
            truth[record] = truth[record] || plain_equal(records[record].fields[field], constant);
    }
    buffer_append_char(out, ']');
}

static void write_is(struct buffer *out, bool truth[DOCUMENTS]) {
    int field = (int)below(FIELDS);
    uint64_t form = below(3);
    static const char *const forms[] = {"f%d is null", "f%d is not null", "f%d"};
    char text[32];
    sprintf(text, forms[form], field);
    buffer_append_text(out, text);
    for (int record = 0; record < DOCUMENTS; record++) {
        const struct plain *value = records[record].fields[field];
        bool null = value->kind == PLAIN_ABSENT || value->kind == PLAIN_NULL;
        truth[record] = form == 0   ? null
                        : form == 1 ? !null
                                    : value->kind == PLAIN_BOOL && value->boolean;
    }
}

static void write_any(struct buffer *out, int depth, bool truth[DOCUMENTS]) {
    uint64_t kind = depth == 0 ? below(3) : below(6);
    bool other[DOCUMENTS];
    if (kind == 0 || kind == 1) {
        if (kind == 0)
            write_in(out, truth);
        else
            write_is(out, truth);
        return;
    }
    if (kind == 2) {
        write_comparison(out, truth);
        return;
    }
    buffer_append_text(out, kind == 3 ? "!(" : "(");
    write_any(out, depth - 1, truth);
    if (kind != 3) {
        buffer_append_text(out, kind == 4 ? ") && (" : ") || (");
        write_any(out, depth - 1, other);
    }
    buffer_append_char(out, ')');
    for (int record = 0; record < DOCUMENTS; record++) {
        if (kind == 3)
            truth[record] = !truth[record];
        else
            truth[record] =
                kind == 4 ? truth[record] && other[record] : truth[record] || other[record];
    }
}

static bool within(const struct expr_bounds *bounds, const struct expr_value *value) {
    struct expr_value point = expr_value_of(bounds->doc, bounds->point);
    struct expr_value low = expr_value_of(bounds->doc, bounds->low);
    struct expr_value high = expr_value_of(bounds->doc, bounds->high);
    int order;
    switch (bounds->kind) {
    case EXPR_BOUNDS_NONE: return true;
    case EXPR_BOUNDS_PREFIX: return value->kind == EXPR_STRING;
    case EXPR_BOUNDS_POINT:
        if (expr_order(value, &point, &order)) return order == 0;
        return value->kind == point.kind && value->boolean == point.boolean;
    case EXPR_BOUNDS_POINTS:
        for (doc_node child = doc_first(bounds->doc, bounds->point); child != DOC_NONE;
             child = doc_next(bounds->doc, child)) {
            struct expr_value element = expr_value_of(bounds->doc, child);
            if (expr_order(value, &element, &order)
                    ? order == 0
                    : value->kind == element.kind && value->boolean == element.boolean)
                return true;
        }
        return false;
    case EXPR_BOUNDS_RANGE:
        if (bounds->low != DOC_NONE) {
            if (!expr_order(value, &low, &order)) return false;
            if (order < 0 || (order == 0 && bounds->low_exclusive)) return false;
        }
        if (bounds->high != DOC_NONE) {
            if (!expr_order(value, &high, &order)) return false;
            if (order > 0 || (order == 0 && bounds->high_exclusive)) return false;
        }
        return true;
    }
    return false;
}

static void round_of(void) {
    struct buffer text;
    bool truth[DOCUMENTS];
    struct expr *expr = NULL;
    stet_error err = {0};
    make_records();
    buffer_init(&text, &test_arena, 0);
    write_any(&text, (int)below(4), truth);
    buffer_append_char(&text, '\0');
    if (try_parse(text.bytes, &expr, &err) != STET_OK)
        fail_msg("seed %llu: %s: %s", (unsigned long long)seed, text.bytes, err.message);
    for (int record = 0; record < DOCUMENTS; record++) {
        struct expr_subject subject = {.data = &records[record].doc};
        bool matches = expr_matches(expr, &subject);
        if (matches != truth[record])
            fail_msg("seed %llu: %s on %.*s is %d", (unsigned long long)seed, text.bytes,
                     VIEW_ARG(records[record].doc.text), matches);
        for (int field = 0; matches && field < FIELDS; field++) {
            char pointer[16];
            struct expr_bounds bounds;
            snprintf(pointer, sizeof pointer, "/f%d", field);
            expr_bounds(expr, view_of(pointer), &bounds);
            struct expr_value value = expr_value_of(
                &records[record].doc, doc_pointer(&records[record].doc, view_of(pointer)));
            if (!within(&bounds, &value))
                fail_msg("seed %llu: %s matches %.*s outside the bounds of %s",
                         (unsigned long long)seed, text.bytes, VIEW_ARG(records[record].doc.text),
                         pointer);
        }
    }
}

static void random_expressions_mean_what_they_say(void **state) {
    (void)state;
    const char *rounds_text = getenv("STET_ROUNDS");
    const char *seed_text = getenv("STET_SEED");
    long rounds = rounds_text == NULL ? 100000 : atol(rounds_text);
    seed = seed_text == NULL ? (uint64_t)time(NULL) : strtoull(seed_text, NULL, 10);
    printf("STET_SEED=%llu\n", (unsigned long long)seed);
    entropy_seeded_init(&seeded, seed);
    for (long index = 0; index < rounds; index++) {
        arena_reset(&test_arena);
        round_of();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        ARENA_TEST(random_expressions_mean_what_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
