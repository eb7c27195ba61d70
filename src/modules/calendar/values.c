/*
 * Putting values into data, and times as a declaration has them.
 */
#include "base/error.h"
#include "base/view.h"
#include "doc/patch.h"
#include "doc/pointer.h"
#include "doc/write.h"
#include "modules/calendar/internal.h"

#include <stdio.h>

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a calendar");
}

/* A merge patch that reaches down to the pointer: objects on the way are made where there are none, and null removes. */
stet_status put_value(struct arena *arena, stet_view data, stet_view pointer, stet_view json,
                      stet_view *out, stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    struct doc target, patch;
    stet_view rest = pointer, token, name;
    size_t depth = 0;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    while (pointer_next(&rest, &token)) {
        if (pointer_decode(arena, token, &name) != STET_OK) return no_memory(err);
        json_object_begin(&writer);
        json_key(&writer, name);
        depth++;
    }
    json_raw(&writer, json.size == 0 ? VIEW("null") : json);
    while (depth-- > 0)
        json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return no_memory(err);
    stet_status status = doc_parse(arena, data, NULL, &target, err);
    if (status == STET_OK) status = doc_parse(arena, buffer_view(&buffer), NULL, &patch, err);
    if (status == STET_OK) status = doc_merge_patch(arena, &target, &patch, out, err);
    return status;
}

stet_status put_text(struct arena *arena, stet_view data, stet_view pointer, stet_view text,
                     stet_view *out, stet_error *err) {
    struct buffer buffer;
    buffer_init(&buffer, arena, 0);
    json_string(&buffer, text);
    if (buffer_status(&buffer) != STET_OK) return no_memory(err);
    return put_value(arena, data, pointer, buffer_view(&buffer), out, err);
}

stet_view time_text(struct arena *arena, const struct wall *wall) {
    char text[WALL_BYTES];
    size_t size = wall_format(wall, text);
    if (!wall->has_offset || !wall->has_time) return arena_copy(arena, view_make(text, size));
    int32_t minutes = wall->offset / 60;
    char sign = minutes < 0 ? '-' : '+';
    if (minutes < 0) minutes = -minutes;
    if (minutes == 0) return arena_format(arena, "%sZ", text);
    return arena_format(arena, "%s%c%02d:%02d", text, sign, (int)(minutes / 60),
                        (int)(minutes % 60));
}

stet_status put_time(struct arena *arena, stet_view data, const struct exclusive_time *where,
                     const struct wall *wall, stet_view *out, stet_error *err) {
    stet_view text = time_text(arena, wall);
    if (text.bytes == NULL) return no_memory(err);
    if (where->clock.size == 0) return put_text(arena, data, where->pointer, text, out, err);
    enum { DATE_BYTES = 10 };
    stet_view day = view_make(text.bytes, DATE_BYTES), clock = {0};
    if (wall->has_time) {
        /* "09:00", as people write it where the seconds say nothing. */
        size_t size = wall->local % 60 == 0 && wall->ns == 0 ? 5 : text.size - DATE_BYTES - 1;
        clock = view_make(text.bytes + DATE_BYTES + 1, size);
    }
    stet_status status = put_text(arena, data, where->pointer, day, out, err);
    if (status != STET_OK) return status;
    if (clock.size == 0) return put_value(arena, *out, where->clock, clock, out, err);
    return put_text(arena, *out, where->clock, clock, out, err);
}
