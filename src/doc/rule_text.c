/*
 * Texts merged three ways: by line, and inside lines that both changed by word.
 *
 * A text is cut into pieces; what base shares with current and with yours (myers.h) leaves regions between pieces that all three
 * share. In a region that one side left alone the other side's pieces stand; one that both changed differently is cut into
 * words and merged again, and when that fails the whole text is in conflict: no marker is ever stored. Regions do not depend on
 * which side is called current, so neither does the result. (Sanjeev Khanna, Keshav Kunal and Benjamin C. Pierce, "A Formal
 * Investigation of Diff3", FSTTCS 2007, says what such a merge promises.)
 *
 * Work is counted in pieces looked at and bounded by MERGE_TEXT_STEPS_MAX; past it the text is in conflict, on every machine
 * alike.
 */
#include "base/limits.h"
#include "base/view.h"
#include "doc/item.h"
#include "doc/myers.h"
#include "doc/result.h"
#include "doc/rule.h"
#include "doc/text.h"
#include "doc/write.h"

/* What cutting, numbering and copying a piece costs beside comparing it: this bounds memory too. */
enum { PIECE_STEPS = 4 };

enum side { BASE, CURRENT, YOURS, SIDES };

/* A text cut into pieces. */
struct pieces {
    stet_view text;
    uint32_t *starts; /* count + 1: the last is the text's end. */
    uint32_t *ids;    /* The same for the same bytes, in all three texts. */
    uint32_t count;
};

struct texts {
    struct arena *arena;
    struct buffer out; /* Decoded. */
    uint64_t steps;
    uint64_t steps_max;
    bool conflict;
};

/* ---- Cutting ---- */

static size_t line_size(const char *p, const char *end) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    return (size_t)((newline == NULL ? end : newline + 1) - p);
}

/* Letters, digits and whatever is not ASCII: a sequence of UTF-8 never ends inside a word. */
static inline bool is_wordly(char c) {
    unsigned char lower = (unsigned char)(c | 0x20);
    return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') ||
           c == '_';
}

/* What stands inside numbers, times, dates and names: 1,200.50 is one word, or two edits of it would make a third number. */
static inline bool is_joint(char c) { return memchr(".,:'-", c, 5) != NULL; }

static size_t word_size(const char *begin, const char *end) {
    const char *p = begin;
    if (*p == ' ' || *p == '\t') {
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
    } else if (!is_wordly(*p)) {
        p++;
    } else {
        while (p < end && (is_wordly(*p) || (is_joint(*p) && p + 1 < end && is_wordly(p[1]))))
            p++;
    }
    return (size_t)(p - begin);
}

typedef size_t piece_size_function(const char *p, const char *end);

static stet_status pieces_cut(struct texts *texts, stet_view text, piece_size_function *size_of,
                              struct pieces *pieces) {
    const char *end = text.bytes + text.size;
    *pieces = (struct pieces){.text = text};
    for (const char *p = text.bytes; p < end; p += size_of(p, end))
        pieces->count++;
    texts->steps += (uint64_t)PIECE_STEPS * pieces->count;
    if (texts->steps > texts->steps_max) return STET_TOO_LARGE;
    pieces->starts = arena_alloc(texts->arena, ((size_t)pieces->count + 1) * sizeof(uint32_t));
    pieces->ids = arena_alloc(texts->arena, (size_t)pieces->count * sizeof(uint32_t));
    if (pieces->starts == NULL || pieces->ids == NULL) return STET_NO_MEMORY;
    uint32_t index = 0;
    for (const char *p = text.bytes; p < end; p += size_of(p, end))
        pieces->starts[index++] = (uint32_t)(p - text.bytes);
    pieces->starts[index] = (uint32_t)text.size;
    return STET_OK;
}

/* The bytes of pieces begin … end - 1. */
static stet_view pieces_text(const struct pieces *pieces, uint32_t begin, uint32_t end) {
    uint32_t start = pieces->starts[begin];
    return view_make(pieces->text.bytes + start, pieces->starts[end] - start);
}

/* Bytes that some piece has; their place in the list is their id. */
struct known {
    uint64_t hash;
    stet_view text;
};

/* Numbers the pieces of all three texts. Pieces whose hashes collide cost steps. */
static stet_status pieces_number(struct texts *texts, struct pieces sides[SIDES]) {
    size_t total = 0;
    for (int side = 0; side < SIDES; side++)
        total += sides[side].count;
    size_t slot_count = 4;
    while (slot_count < 2 * total)
        slot_count *= 2;
    struct known *known = arena_alloc(texts->arena, total * sizeof *known);
    uint32_t *slots = arena_zalloc(texts->arena, slot_count, sizeof *slots); /* id + 1; 0: free. */
    if (known == NULL || slots == NULL) return STET_NO_MEMORY;
    uint32_t known_count = 0;
    for (int side = 0; side < SIDES; side++) {
        for (uint32_t i = 0; i < sides[side].count; i++) {
            stet_view text = pieces_text(&sides[side], i, i + 1);
            uint64_t hash = text_hash(text, false, 0);
            size_t slot = (size_t)(hash >> 32) & (slot_count - 1);
            for (; slots[slot] != 0; slot = (slot + 1) & (slot_count - 1)) {
                const struct known *other = &known[slots[slot] - 1];
                if (other->hash == hash && view_equal(other->text, text)) break;
                if (++texts->steps > texts->steps_max) return STET_TOO_LARGE;
            }
            if (slots[slot] == 0) {
                known[known_count] = (struct known){.hash = hash, .text = text};
                slots[slot] = ++known_count;
            }
            sides[side].ids[i] = slots[slot] - 1;
        }
    }
    return STET_OK;
}

/* ---- Regions ---- */

/* The same stretch of the three texts, in pieces. */
struct region {
    uint32_t begin[SIDES];
    uint32_t end[SIDES];
};

static bool region_same(const struct pieces sides[SIDES], const struct region *region, enum side a,
                        enum side b) {
    uint32_t count = region->end[a] - region->begin[a];
    return count == region->end[b] - region->begin[b] &&
           (count == 0 || memcmp(sides[a].ids + region->begin[a], sides[b].ids + region->begin[b],
                                 count * sizeof(uint32_t)) == 0);
}

static stet_view region_text(const struct pieces sides[SIDES], const struct region *region,
                             enum side side) {
    return pieces_text(&sides[side], region->begin[side], region->end[side]);
}

static stet_status merge_pieces(struct texts *texts, const stet_view text[SIDES],
                                piece_size_function *size_of);

static stet_status merge_region(struct texts *texts, const struct pieces sides[SIDES],
                                const struct region *region, piece_size_function *size_of) {
    enum side winner;
    if (region_same(sides, region, BASE, CURRENT) || region_same(sides, region, CURRENT, YOURS)) {
        winner = YOURS;
    } else if (region_same(sides, region, BASE, YOURS)) {
        winner = CURRENT;
    } else if (size_of == word_size || region->begin[BASE] == region->end[BASE]) {
        texts->conflict = true;
        return STET_OK;
    } else {
        const stet_view text[SIDES] = {
            region_text(sides, region, BASE),
            region_text(sides, region, CURRENT),
            region_text(sides, region, YOURS),
        };
        return merge_pieces(texts, text, word_size);
    }
    buffer_append_view(&texts->out, region_text(sides, region, winner));
    return STET_OK;
}

/* Merges and appends the result to texts->out, unless it finds a conflict. */
static stet_status merge_pieces(struct texts *texts, const stet_view text[SIDES],
                                piece_size_function *size_of) {
    struct pieces sides[SIDES];
    stet_status status = STET_OK;
    for (int side = 0; side < SIDES && status == STET_OK; side++)
        status = pieces_cut(texts, text[side], size_of, &sides[side]);
    if (status == STET_OK) status = pieces_number(texts, sides);
    if (status != STET_OK) return status;

    uint32_t *partners[SIDES] = {NULL};
    for (int side = CURRENT; side < SIDES; side++) {
        partners[side] = arena_alloc(texts->arena, sides[BASE].count * sizeof(uint32_t));
        if (partners[side] == NULL) return STET_NO_MEMORY;
        status = myers_match(texts->arena, sides[BASE].ids, sides[BASE].count, sides[side].ids,
                             sides[side].count, partners[side], &texts->steps, texts->steps_max);
        if (status != STET_OK) return status;
    }

    struct region region = {0};
    for (uint32_t i = 0; i <= sides[BASE].count && !texts->conflict; i++) {
        bool end = i == sides[BASE].count;
        if (!end && (partners[CURRENT][i] == MYERS_NONE || partners[YOURS][i] == MYERS_NONE))
            continue;
        region.end[BASE] = i;
        region.end[CURRENT] = end ? sides[CURRENT].count : partners[CURRENT][i];
        region.end[YOURS] = end ? sides[YOURS].count : partners[YOURS][i];
        status = merge_region(texts, sides, &region, size_of);
        if (status != STET_OK) return status;
        if (!end) buffer_append_view(&texts->out, pieces_text(&sides[BASE], i, i + 1));
        for (int side = 0; side < SIDES; side++)
            region.begin[side] = region.end[side] + 1;
    }
    return STET_OK;
}

/* ---- The rule ---- */

/* Sets aside whole lines with which all three begin and end. */
static void trim(stet_view text[SIDES], stet_view *head, stet_view *tail) {
    size_t shortest = text[BASE].size;
    for (int side = CURRENT; side < SIDES; side++)
        shortest = text[side].size < shortest ? text[side].size : shortest;
    const char *base = text[BASE].bytes;
    size_t begin = 0;
    for (size_t i = 0; i < shortest; i++) {
        if (base[i] != text[CURRENT].bytes[i] || base[i] != text[YOURS].bytes[i]) break;
        if (base[i] == '\n') begin = i + 1;
    }
    size_t end = 0;
    for (size_t i = 1; i <= shortest - begin; i++) {
        char c = base[text[BASE].size - i];
        /* The lines behind a newline that all share are shared; the newline itself ends a line that need not be. */
        if (c != text[CURRENT].bytes[text[CURRENT].size - i] ||
            c != text[YOURS].bytes[text[YOURS].size - i])
            break;
        if (c == '\n') end = i - 1;
    }
    *head = view_make(base, begin);
    *tail = view_make(base + text[BASE].size - end, end);
    for (int side = 0; side < SIDES; side++)
        text[side] = view_make(text[side].bytes + begin, text[side].size - begin - end);
}

static stet_status read_texts(const struct rule_question *question, stet_view text[SIDES]) {
    const struct doc *docs[SIDES] = {question->base_doc, question->current_doc,
                                     question->yours_doc};
    doc_node nodes[SIDES] = {question->base, question->current, question->yours};
    for (int side = 0; side < SIDES; side++) {
        if (nodes[side] == DOC_NONE) return STET_BAD_REQUEST;
        stet_status status = doc_string(question->arena, docs[side], nodes[side], &text[side]);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status settle_text(const struct rule_question *question, struct rule_answer *answer,
                               stet_error *err) {
    stet_view text[SIDES];
    stet_view head;
    stet_view tail;
    struct texts texts = {
        .arena = question->arena,
        .steps_max =
            question->steps_max < MERGE_TEXT_STEPS_MAX ? question->steps_max : MERGE_TEXT_STEPS_MAX,
    };
    stet_status status = read_texts(question, text);
    if (status == STET_BAD_REQUEST) return answer_conflict(answer); /* No text on some side. */
    if (status != STET_OK) goto failed;
    size_t size_max = text[BASE].size + text[CURRENT].size + text[YOURS].size;
    buffer_init(&texts.out, question->arena, 0);
    (void)buffer_reserve(&texts.out, text[CURRENT].size + text[YOURS].size);
    trim(text, &head, &tail);
    buffer_append_view(&texts.out, head);
    status = merge_pieces(&texts, text, line_size);
    *answer = (struct rule_answer){.state = DOC_CONFLICT, .steps = texts.steps};
    if (status == STET_TOO_LARGE || (status == STET_OK && texts.conflict)) return STET_OK;
    buffer_append_view(&texts.out, tail);
    if (status == STET_OK) status = buffer_status(&texts.out);
    if (status != STET_OK) goto failed;

    struct buffer json;
    result_begin(&json, question->arena, texts.out.size + texts.out.size / 16 + 2);
    json_string(&json, buffer_view(&texts.out));
    assert(texts.out.size <= size_max);
    answer->state = DOC_MERGED;
    return result_end(&json, "a merged text", &answer->merged, err);
failed:
    return error_set(err, status, "could not merge two texts");
}

const struct doc_rule rule_text = {.name = "text", .gathers = true, .settle = settle_text};
