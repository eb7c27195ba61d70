/* Spans of time as people write them: 90s, 30m, 6h, 7d. */
#ifndef CLI_SPAN_H
#define CLI_SPAN_H

#include "stet.h"

/* Whole seconds, at least one and at most a hundred years. False: not a span; out is untouched. */
bool span_parse(stet_view text, uint64_t *seconds);

#endif
