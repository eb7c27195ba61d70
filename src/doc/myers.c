#include "doc/myers.h"

/* The furthest x on each diagonal k = x - y that d differences reach: k is -d, -d + 2, … d, at index (k + d) / 2. */
struct row {
    const struct row *before; /* That of d - 1. */
    int32_t x[];
};

/* Whether the best way to diagonal `index` of row d comes from the diagonal above (an element of b), not from below. */
static inline bool comes_down(const struct row *before, int32_t d, int32_t index) {
    return index == 0 || (index != d && before->x[index - 1] < before->x[index]);
}

/* Walks back from the end and notes every shared element on the way. */
static void walk_back(const struct row *row, int32_t d, int32_t a_count, int32_t b_count,
                      uint32_t *match, uint32_t b_offset) {
    int32_t x = a_count;
    int32_t y = b_count;
    for (; d > 0; d--) {
        const struct row *before = row->before;
        int32_t k = x - y;
        int32_t index = (k + d) / 2;
        bool down = comes_down(before, d, index);
        int32_t from_x = down ? before->x[index] : before->x[index - 1];
        int32_t from_y = from_x - (down ? k + 1 : k - 1);
        for (int32_t begin = down ? from_x : from_x + 1; x > begin; y--)
            match[--x] = b_offset + (uint32_t)y - 1;
        x = from_x;
        y = from_y;
        row = before;
    }
    for (; x > 0; y--)
        match[--x] = b_offset + (uint32_t)y - 1;
}

static stet_status search(struct arena *arena, const uint32_t *a, int32_t a_count,
                          const uint32_t *b, int32_t b_count, uint32_t *match, uint32_t b_offset,
                          uint64_t *steps, uint64_t steps_max) {
    const struct row *before = NULL;
    for (int32_t d = 0;; d++) {
        *steps += (uint64_t)d + 1;
        if (*steps > steps_max) return STET_TOO_LARGE;
        struct row *row = arena_alloc(arena, sizeof *row + ((size_t)d + 1) * sizeof row->x[0]);
        if (row == NULL) return STET_NO_MEMORY;
        row->before = before;
        for (int32_t index = 0; index <= d; index++) {
            int32_t k = 2 * index - d;
            int32_t x = 0;
            if (d > 0)
                x = comes_down(before, d, index) ? before->x[index] : before->x[index - 1] + 1;
            int32_t begin = x;
            while (x < a_count && x - k < b_count && a[x] == b[x - k])
                x++;
            *steps += (uint64_t)(x - begin);
            row->x[index] = x;
            if (k == a_count - b_count && x >= a_count) {
                walk_back(row, d, a_count, b_count, match, b_offset);
                return STET_OK;
            }
        }
        before = row;
    }
}

stet_status myers_match(struct arena *arena, const uint32_t *a, uint32_t a_count, const uint32_t *b,
                        uint32_t b_count, uint32_t *match, uint64_t *steps, uint64_t steps_max) {
    uint32_t shorter = a_count < b_count ? a_count : b_count;
    uint32_t begin = 0;
    while (begin < shorter && a[begin] == b[begin]) {
        match[begin] = begin;
        begin++;
    }
    uint32_t end = 0;
    while (end < shorter - begin && a[a_count - end - 1] == b[b_count - end - 1]) {
        end++;
        match[a_count - end] = b_count - end;
    }
    for (uint32_t i = begin; i < a_count - end; i++)
        match[i] = MYERS_NONE;
    *steps += begin + end;
    if (*steps > steps_max) return STET_TOO_LARGE;
    if (begin + end == a_count || begin + end == b_count) return STET_OK;
    return search(arena, a + begin, (int32_t)(a_count - end - begin), b + begin,
                  (int32_t)(b_count - end - begin), match + begin, begin, steps, steps_max);
}
