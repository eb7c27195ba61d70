#include "http/live_frame.h"

#include "base/view.h"
#include "http/websocket.h"

#include <stdio.h>

/* One message made of pieces: `head`, `body` and a closing brace. The frame's own head tells its size, which is so known before. */
static void put_message(struct buffer *out, stet_view head, stet_view body) {
    size_t size = head.size + body.size + 1;
    char *begin = buffer_reserve(out, WEBSOCKET_HEAD_BYTES_MAX + size);
    if (begin == NULL) return;
    char *at = websocket_put_head(begin, size);
    memcpy(at, head.bytes, head.size);
    at += head.size;
    if (body.size > 0) memcpy(at, body.bytes, body.size);
    at += body.size;
    *at++ = '}';
    buffer_advance(out, (size_t)(at - begin));
}

enum { SUB_JSON_BYTES_MAX = 64 * 6 + 2 };

void live_put_event(struct buffer *out, stet_view sub, stet_view name, stet_seq id,
                    stet_view data) {
    char head[SUB_JSON_BYTES_MAX + 128];
    char number[32] = "";
    if (id != 0) snprintf(number, sizeof number, "\"id\":%llu,", (unsigned long long)id);
    int size = snprintf(head, sizeof head,
                        "{%s%.*s%s\"event\":\"%.*s\",%s\"data\":", sub.size > 0 ? "\"sub\":" : "",
                        VIEW_ARG(sub), sub.size > 0 ? "," : "", VIEW_ARG(name), number);
    put_message(out, view_make(head, (size_t)size), data);
}

void live_put_answer(struct buffer *out, const struct live_answer *answer) {
    char head[160];
    char wait[48] = "";
    if (answer->retry_after_s > 0)
        snprintf(wait, sizeof wait, "\"retry_after_s\":%u,", answer->retry_after_s);
    int size = snprintf(head, sizeof head,
                        "{\"id\":%llu,\"status\":%d,%s%s\"body\":", (unsigned long long)answer->id,
                        answer->status, answer->replayed ? "\"replayed\":true," : "", wait);
    put_message(out, view_make(head, (size_t)size),
                answer->body.size > 0 ? answer->body : VIEW("null"));
}
