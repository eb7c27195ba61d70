#include "http/coding.h"

#include "base/view.h"
#include "http/params.h"

/* Not said at all, which is not the same as refused. */
enum { UNSAID = -1, WEIGHT_MAX = 1000 };

static const stet_view names[CODING_COUNT] = {
    [CODING_IDENTITY] = {"identity", 8},
    [CODING_BROTLI] = {"br", 2},
    [CODING_GZIP] = {"gzip", 4},
};

/* "0.5" in thousandths. What cannot be read weighs nothing: a guess might send what is not understood. */
static int weight_parse(stet_view text) {
    if (text.size == 0 || text.size > 5 || (text.bytes[0] != '0' && text.bytes[0] != '1')) return 0;
    int weight = (text.bytes[0] - '0') * WEIGHT_MAX;
    if (text.size > 1 && text.bytes[1] != '.') return 0;
    for (size_t i = 2, scale = 100; i < text.size; i++, scale /= 10) {
        if (text.bytes[i] < '0' || text.bytes[i] > '9') return 0;
        weight += (text.bytes[i] - '0') * (int)scale;
    }
    return weight > WEIGHT_MAX ? 0 : weight;
}

/* The weight among an encoding's parameters. */
static int weight_find(stet_view parameters) {
    stet_view one;
    int weight = WEIGHT_MAX;
    while (text_next(&parameters, ';', &one)) {
        stet_view name = {0};
        if (!text_next(&one, '=', &name) || !view_equal_nocase(name, VIEW("q"))) continue;
        weight = weight_parse(text_trim(one));
    }
    return weight;
}

enum coding coding_choose(stet_view accept, const bool offered[CODING_COUNT]) {
    int weights[CODING_COUNT] = {UNSAID, UNSAID, UNSAID};
    int others = UNSAID;
    stet_view piece;
    while (text_next(&accept, ',', &piece)) {
        stet_view name = {0};
        if (!text_next(&piece, ';', &name)) continue;
        int weight = weight_find(piece);
        if (view_equal(name, VIEW("*"))) others = weight;
        if (view_equal_nocase(name, VIEW("x-gzip"))) name = names[CODING_GZIP];
        for (int i = 0; i < CODING_COUNT; i++) {
            if (view_equal_nocase(name, names[i])) weights[i] = weight;
        }
    }
    static const enum coding smallest_first[] = {CODING_BROTLI, CODING_GZIP, CODING_IDENTITY};
    enum coding best = CODING_IDENTITY;
    int best_weight = 0;
    for (int i = 0; i < CODING_COUNT; i++) {
        enum coding coding = smallest_first[i];
        if (!offered[coding]) continue;
        int weight = weights[coding] != UNSAID ? weights[coding] : others;
        /* Nobody has to name what is sent as it is; what is named is liked better. */
        if (weight == UNSAID && coding == CODING_IDENTITY) weight = 1;
        if (weight > best_weight) {
            best = coding;
            best_weight = weight;
        }
    }
    return best;
}

const char *coding_name(enum coding coding) {
    return coding == CODING_IDENTITY ? NULL : names[coding].bytes;
}
