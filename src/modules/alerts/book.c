/*
 * Few enough to be looked through.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/alerts/internal.h"

#include <assert.h>
#include <stdlib.h>

void book_done(struct book *book) {
    free(book->alerts);
    *book = (struct book){0};
}

static void count_firing(struct book *book) {
    uint64_t counts[2] = {0, 0};
    for (size_t i = 0; i < book->count; i++)
        counts[book->alerts[i].critical] += book->alerts[i].firing;
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&book->firing[i], counts[i], memory_order_relaxed);
}

void book_clear(struct book *book) {
    book->count = 0;
    count_firing(book);
}

stet_status book_reserve(struct book *book, stet_error *err) {
    if (book->count < book->capacity) return STET_OK;
    size_t capacity = book->capacity == 0 ? 16 : book->capacity * 2;
    struct alert *alerts = realloc(book->alerts, capacity * sizeof *alerts);
    if (alerts == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for alerts");
    book->alerts = alerts;
    book->capacity = capacity;
    return STET_OK;
}

struct alert *book_find(const struct book *book, stet_view id) {
    for (size_t i = 0; i < book->count; i++)
        if (view_equal(view_of(book->alerts[i].id), id)) return &book->alerts[i];
    return NULL;
}

struct alert *book_firing(const struct book *book, stet_view name) {
    for (size_t i = 0; i < book->count; i++)
        if (book->alerts[i].firing && !book->alerts[i].event &&
            view_equal(view_of(book->alerts[i].name), name))
            return &book->alerts[i];
    return NULL;
}

/* The data are this module's own: they begin with its members, in this order. See write_alert in alerts.c. */
static bool begins(stet_view *data, const char *text) {
    if (!view_starts(*data, view_of(text))) return false;
    *data = view_make(data->bytes + strlen(text), data->size - strlen(text));
    return true;
}

static void read_data(struct alert *alert, stet_view data) {
    alert->event = begins(&data, "{\"event\":true,");
    if (!alert->event) begins(&data, "{");
    alert->firing = begins(&data, "\"state\":\"firing\",");
    if (!alert->firing) begins(&data, "\"state\":\"resolved\",");
    alert->critical = begins(&data, "\"severity\":\"critical\",");
    if (!alert->critical) begins(&data, "\"severity\":\"warning\",");
    alert->name[0] = '\0';
    if (!begins(&data, "\"name\":\"")) return;
    const char *end = memchr(data.bytes, '"', data.size);
    size_t size = end == NULL ? 0 : (size_t)(end - data.bytes);
    if (size > ALERT_NAME_BYTES_MAX) return;
    memcpy(alert->name, data.bytes, size);
    alert->name[size] = '\0';
}

void book_note(struct book *book, const struct store_change *change) {
    struct alert *alert = book_find(book, change->id);
    if (change->op == STORE_DELETE) {
        if (alert != NULL) *alert = book->alerts[--book->count];
        count_firing(book);
        return;
    }
    if (change->id.size > ALERT_ID_BYTES_MAX) return;
    if (alert == NULL) {
        assert(book->count < book->capacity);
        alert = &book->alerts[book->count++];
        *alert = (struct alert){0};
        memcpy(alert->id, change->id.bytes, change->id.size);
    }
    alert->stamp = change->stamp;
    read_data(alert, change->data);
    count_firing(book);
}
