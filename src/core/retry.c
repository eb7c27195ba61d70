#include "core/retry.h"

#include "base/limits.h"

#include <assert.h>

unsigned class_retries(stet_class class_) {
    switch (class_) {
    case STET_CLASS_LOW: return 3;
    case STET_CLASS_DEFAULT:
    case STET_CLASS_NORMAL: return 5;
    case STET_CLASS_HIGH: return 10;
    case STET_CLASS_URGENT:
    case STET_CLASS_STRUCTURAL: return 20;
    }
    assert(false);
    return 0;
}

unsigned class_priority(stet_class class_) {
    switch (class_) {
    case STET_CLASS_LOW: return 2;
    case STET_CLASS_DEFAULT:
    case STET_CLASS_NORMAL: return 5;
    case STET_CLASS_HIGH: return 8;
    case STET_CLASS_URGENT:
    case STET_CLASS_STRUCTURAL: return 10;
    }
    assert(false);
    return 0;
}

/* The longest pause before the rerun that follows this conflict. The second one is the first to pause at all. */
static int64_t pause_ms_max(unsigned retries) {
    int64_t pause = RETRY_BASE_MS;
    for (unsigned n = 2; n < retries && pause < RETRY_CAP_MS; n++)
        pause *= 2;
    return pause < RETRY_CAP_MS ? pause : RETRY_CAP_MS;
}

struct retry_step retry_next(stet_class class_, unsigned retries, unsigned max_retries,
                             bool runs_inside, uint64_t draw) {
    assert(retries > 0);
    struct retry_step step = {.kind = RETRY_AGAIN, .level = retries};
    /* Low gives way: it never keeps others out, however often it lost. */
    step.reserves = step.level >= RESERVATION_LEVEL && class_ != STET_CLASS_LOW;
    if (retries > max_retries) {
        step.kind = RETRY_EXHAUSTED;
        step.reserves = false;
    } else if (retries == max_retries && class_ == STET_CLASS_STRUCTURAL && runs_inside) {
        step.kind = RETRY_EXCLUSIVE;
    } else if (retries > 1 && !step.reserves) {
        /* Not with its records reserved: others would only wait for its pause. The bias of a remainder is far below what anybody
           could notice. */
        step.delay_ns = (int64_t)(draw % (uint64_t)(pause_ms_max(retries) * 1000000 + 1));
    }
    return step;
}
