/*
 * POST /v1/{space}/telemetry. Bodies are small and their numbers bounded: it takes many thousands of lies until a sum runs
 * over, and then it starts anew, as after a restart of the server. Nothing in them names anybody or anything.
 */
#include "http/telemetry.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/request.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct telemetry_name telemetry_counts[TELEMETRY_COUNTS] = {
    {"writes", "writes_total", "Changes that people made in clients that report."},
    {"confirmed", "confirmed_total", "Changes of theirs that the server took."},
    {"conflicts", "conflicts_total", "Changes of theirs that met a conflict."},
    {"merged", "merged_total", "Changes of theirs that were merged with those of others."},
    {"rejected", "rejected_total", "Changes of theirs that were refused for another reason."},
    {"retries", "retries_total", "Requests that clients repeated."},
    {"rollbacks", "rollbacks_total", "Times that clients took back what they had shown."},
};

const struct telemetry_name telemetry_times[TELEMETRY_TIMES] = {
    {"confirm_ms", "confirm_seconds", "From a save to its confirmation, as clients saw it."},
    {"resolve_ms", "resolve_seconds", "From the dialog to the resolution of a conflict."},
    {"queue_wait_ms", "queue_wait_seconds", "How long operations waited, as clients saw it."},
};

const unsigned telemetry_bounds_ms[TELEMETRY_BUCKETS] = {
    10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000};

enum { POINTER_BYTES = 96, NUMBER_BYTES = 32 };

static const char unknown[] = "is not known here";

static stet_status bad(const char *pointer, const char *what, stet_error *err) {
    error_set(err, STET_BAD_REQUEST, "%s %s", pointer[0] == '\0' ? "the body" : pointer, what);
    error_field(err, pointer[0] == '\0' ? "body" : pointer, 0);
    return STET_BAD_REQUEST;
}

/* pointer/key; of a very long key its beginning is enough to find it. */
static void extend(char out[POINTER_BYTES], const char *pointer, stet_view key) {
    static const size_t key_bytes_max = 32;
    size_t size = strlen(pointer);
    if (key.size > key_bytes_max) {
        key.size = key_bytes_max;
        while (key.size > 0 && ((unsigned char)key.bytes[key.size] & 0xc0) == 0x80)
            key.size--; /* Not in the midst of a character. */
    }
    assert(size + 1 + key.size < POINTER_BYTES);
    memcpy(out, pointer, size);
    out[size++] = '/';
    memcpy(out + size, key.bytes, key.size);
    out[size + key.size] = '\0';
}

static stet_status read_count(const struct doc *doc, doc_node node, const char *pointer,
                              uint64_t *out, stet_error *err) {
    uint64_t value;
    if (doc_kind(doc, node) != DOC_NUMBER || !doc_u64(doc, node, &value))
        return bad(pointer, "must be a whole number from 0 on", err);
    if (value > TELEMETRY_COUNT_MAX) {
        error_set(err, STET_TOO_LARGE, "%s must be at most %d", pointer, TELEMETRY_COUNT_MAX);
        error_field(err, pointer, TELEMETRY_COUNT_MAX);
        return STET_TOO_LARGE;
    }
    *out = value;
    return STET_OK;
}

/* Milliseconds, perhaps with a fraction, to whole microseconds. */
static stet_status read_sum(const struct doc *doc, doc_node node, const char *pointer,
                            uint64_t *out, stet_error *err) {
    static const double sum_ms_max = 1e12;
    char text[NUMBER_BYTES];
    stet_view number = doc_text(doc, node);
    if (doc_kind(doc, node) != DOC_NUMBER || number.size >= sizeof text)
        return bad(pointer, "must be a number of milliseconds", err);
    memcpy(text, number.bytes, number.size);
    text[number.size] = '\0';
    double value = strtod(text, NULL);
    if (!(value >= 0 && value <= sum_ms_max))
        return bad(pointer, "must be from 0 to 1e12 milliseconds", err);
    *out = (uint64_t)(value * 1000);
    return STET_OK;
}

static stet_status read_buckets(const struct doc *doc, doc_node node, const char *pointer,
                                uint64_t *out, stet_error *err) {
    if (doc_kind(doc, node) != DOC_ARRAY || doc_count(doc, node) != TELEMETRY_BUCKETS + 1)
        return bad(pointer, "must be an array of 14 numbers", err);
    unsigned i = 0;
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        char place[POINTER_BYTES], digits[16];
        snprintf(digits, sizeof digits, "%u", i);
        extend(place, pointer, view_of(digits));
        stet_status status = read_count(doc, child, place, &out[i++], err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status read_time(struct arena *arena, const struct doc *doc, doc_node node,
                             const char *pointer, struct telemetry_time *out, stet_error *err) {
    if (doc_kind(doc, node) != DOC_OBJECT)
        return bad(pointer, "must be {\"sum\": milliseconds, \"counts\": [14 numbers]}", err);
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view key;
        char place[POINTER_BYTES];
        stet_status status = doc_key(arena, doc, child, &key);
        if (status != STET_OK) return error_set(err, status, "out of memory");
        extend(place, pointer, key);
        if (view_equal(key, VIEW("sum"))) {
            status = read_sum(doc, child, place, &out->sum_us, err);
        } else if (view_equal(key, VIEW("counts"))) {
            status = read_buckets(doc, child, place, out->counts, err);
        } else {
            status = bad(place, unknown, err);
        }
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static stet_status read_member(struct arena *arena, const struct doc *doc, doc_node node,
                               stet_view key, struct telemetry_report *report, stet_error *err) {
    char pointer[POINTER_BYTES];
    extend(pointer, "", key);
    for (int i = 0; i < TELEMETRY_COUNTS; i++) {
        if (view_equal(key, view_of(telemetry_counts[i].member)))
            return read_count(doc, node, pointer, &report->counts[i], err);
    }
    for (int i = 0; i < TELEMETRY_TIMES; i++) {
        if (view_equal(key, view_of(telemetry_times[i].member)))
            return read_time(arena, doc, node, pointer, &report->times[i], err);
    }
    return bad(pointer, unknown, err);
}

stet_status telemetry_read(struct arena *arena, const struct doc *doc,
                           struct telemetry_report *report, stet_error *err) {
    struct telemetry_report read = {0};
    if (doc_kind(doc, 0) != DOC_OBJECT) return bad("", "must be an object", err);
    for (doc_node child = doc_first(doc, 0); child != DOC_NONE; child = doc_next(doc, child)) {
        stet_view key;
        stet_status status = doc_key(arena, doc, child, &key);
        if (status != STET_OK) return error_set(err, status, "out of memory");
        status = read_member(arena, doc, child, key, &read, err);
        if (status != STET_OK) return status;
    }
    *report = read;
    return STET_OK;
}

void handle_telemetry(struct request *request) {
    stet_error err;
    struct doc doc;
    struct telemetry_report report;
    if (!request_params_done(request)) return;
    stet_status status = request_json_body(request, &doc, &err);
    if (status == STET_OK) status = telemetry_read(&request->arena, &doc, &report, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    struct metrics *metrics = &request->loop->metrics;
    for (int i = 0; i < TELEMETRY_COUNTS; i++)
        metric_add(&metrics->client_counts[i], report.counts[i]);
    for (int i = 0; i < TELEMETRY_TIMES; i++) {
        metric_add(&metrics->client_times[i].sum_us, report.times[i].sum_us);
        for (int j = 0; j <= TELEMETRY_BUCKETS; j++)
            metric_add(&metrics->client_times[i].counts[j], report.times[i].counts[j]);
    }
    struct reply reply = {.http = 204};
    request_reply(request, &reply);
}
