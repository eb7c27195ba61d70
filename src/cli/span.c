#include "cli/span.h"

#include "base/view.h"

#define SECONDS_MAX (UINT64_C(100) * 365 * 86400)

bool span_parse(stet_view text, uint64_t *seconds) {
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    uint64_t count;
    if (text.size < 2 || !view_parse_u64(view_make(text.bytes, text.size - 1), &count))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (text.bytes[text.size - 1] != units[i].letter) continue;
        if (count == 0 || count > SECONDS_MAX / units[i].seconds) return false;
        *seconds = count * units[i].seconds;
        return true;
    }
    return false;
}
