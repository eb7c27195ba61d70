#include "core/threshold.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <stdio.h>

static const char *const measure_names[MEASURES] = {
    [MEASURE_QUEUE_DEPTH] = "queue_depth",     [MEASURE_QUEUE_WAIT_S] = "queue_wait_s",
    [MEASURE_OLDEST_WAIT_S] = "oldest_wait_s", [MEASURE_PROCESSING_S] = "processing_s",
    [MEASURE_CONFLICT_RATE] = "conflict_rate", [MEASURE_REJECTIONS] = "rejections",
};

static const char *const class_names[] = {
    [STET_CLASS_DEFAULT] = "",      [STET_CLASS_LOW] = "low",
    [STET_CLASS_NORMAL] = "normal", [STET_CLASS_HIGH] = "high",
    [STET_CLASS_URGENT] = "urgent", [STET_CLASS_STRUCTURAL] = "structural",
};

const char *measure_name(enum module_measure measure) { return measure_names[measure]; }
const char *threshold_class_name(stet_class class_) { return class_names[class_]; }

bool threshold_class_parse(stet_view name, stet_class *class_) {
    for (int i = STET_CLASS_DEFAULT + 1; i <= STET_CLASS_STRUCTURAL; i++) {
        if (!view_equal(name, view_of(class_names[i]))) continue;
        *class_ = (stet_class)i;
        return true;
    }
    return false;
}

stet_view threshold_number(struct arena *arena, double value) {
    double bounded = value < 0 ? 0 : value > 1e15 ? 1e15 : value;
    uint64_t thousandths = (uint64_t)(bounded * 1000 + 0.5);
    stet_view text = arena_format(arena, "%llu.%03u", (unsigned long long)(thousandths / 1000),
                                  (unsigned)(thousandths % 1000));
    if (text.bytes == NULL) return text;
    while (text.bytes[text.size - 1] == '0')
        text.size--;
    if (text.bytes[text.size - 1] == '.') text.size--;
    return text;
}

/* ---- Reading ----------------------------------------------------------------------------- */

struct reading {
    struct arena *arena;
    const struct doc *doc;
    doc_node alert;
    stet_view name;
    struct threshold *threshold;
    stet_error *err;
};

static stet_status refuse_at(stet_error *err, stet_view name, const char *member, uint64_t limit,
                             const char *words) {
    char field[256]; /* Cut where it is kept. */
    snprintf(field, sizeof field, "/alerts/%.*s%s", VIEW_ARG(name), member);
    error_set(err, STET_INVALID_SETTINGS, "%s", words);
    error_field(err, field, limit);
    error_subject(err, "the settings");
    return STET_INVALID_SETTINGS;
}

static stet_status refuse(const struct reading *reading, const char *member, const char *words) {
    return refuse_at(reading->err, reading->name, member, 0, words);
}

/* A string that is absent is left empty. */
static stet_status read_text(const struct reading *reading, doc_node object, const char *name,
                             const char *member, size_t bytes_max, stet_view *out) {
    doc_node node = doc_member(reading->doc, object, view_of(name));
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(reading->arena, reading->doc, node, out);
    if (status == STET_NO_MEMORY)
        return error_set(reading->err, STET_NO_MEMORY, "out of memory for settings");
    if (status == STET_OK && out->size > 0 && out->size <= bytes_max) return STET_OK;
    return refuse_at(reading->err, reading->name, member, bytes_max, "is a string, not too long");
}

/* The C library's own would ask the locale what a decimal point is. Not exact in the last digit, which nobody's threshold needs. */
double threshold_value(stet_view text) {
    double value = 0, scale = 1;
    int exponent = 0, sign = 1;
    size_t i = 0;
    while (i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9')
        value = value * 10 + (text.bytes[i++] - '0');
    if (i < text.size && text.bytes[i] == '.')
        for (i++; i < text.size && text.bytes[i] >= '0' && text.bytes[i] <= '9'; i++)
            value += (text.bytes[i] - '0') * (scale /= 10);
    if (i < text.size && (text.bytes[i] == 'e' || text.bytes[i] == 'E')) {
        i++;
        if (text.bytes[i] == '+' || text.bytes[i] == '-') sign = text.bytes[i++] == '-' ? -1 : 1;
        for (; i < text.size && exponent < 1000; i++)
            exponent = exponent * 10 + (text.bytes[i] - '0');
    }
    for (; exponent > 0 && value > 0 && value <= 1e300; exponent--)
        value = sign > 0 ? value * 10 : value / 10;
    return value;
}

static stet_status read_number(const struct reading *reading, const char *name, const char *member,
                               double *out) {
    doc_node node = doc_member(reading->doc, reading->alert, view_of(name));
    if (node == DOC_NONE) return STET_OK;
    stet_view text = doc_text(reading->doc, node);
    if (doc_kind(reading->doc, node) == DOC_NUMBER && text.bytes[0] != '-') {
        *out = threshold_value(text);
        if (*out <= 1e15) return STET_OK;
    }
    return refuse(reading, member, "is a number from 0 to 1e15");
}

static stet_status read_measure(const struct reading *reading) {
    stet_view text = {0};
    stet_status status = read_text(reading, reading->alert, "measure", "/measure", 64, &text);
    if (status != STET_OK) return status;
    for (int i = 0; i < MEASURES; i++) {
        if (!view_equal(text, view_of(measure_names[i]))) continue;
        reading->threshold->measure = (enum module_measure)i;
        return STET_OK;
    }
    return refuse(reading, "/measure",
                  "is queue_depth, queue_wait_s, oldest_wait_s, processing_s, conflict_rate or "
                  "rejections");
}

static stet_status read_of_what(const struct reading *reading) {
    struct threshold *threshold = reading->threshold;
    stet_view class_ = {0};
    stet_status status =
        read_text(reading, reading->alert, "lane", "/lane", LANE_BYTES_MAX, &threshold->lane);
    if (status == STET_OK)
        status = read_text(reading, reading->alert, "class", "/class", 64, &class_);
    if (status != STET_OK) return status;
    if (class_.size > 0 && !threshold_class_parse(class_, &threshold->class_))
        return refuse(reading, "/class", "is low, normal, high, urgent or structural");
    if (threshold->measure != MEASURE_CONFLICT_RATE) return STET_OK;
    if (threshold->lane.size > 0)
        return refuse(reading, "/lane", "says nothing here: conflicts belong to no lane");
    return class_.size > 0
               ? refuse(reading, "/class", "says nothing here: conflicts belong to no class")
               : STET_OK;
}

static stet_status read_bounds(const struct reading *reading) {
    struct threshold *threshold = reading->threshold;
    doc_node hold = doc_member(reading->doc, reading->alert, VIEW("for_s"));
    uint64_t for_s = 0;
    if (doc_member(reading->doc, reading->alert, VIEW("above")) == DOC_NONE)
        return refuse(reading, "/above", "is missing: the number above which it is raised");
    stet_status status = read_number(reading, "above", "/above", &threshold->above);
    threshold->clear_below = threshold->above;
    if (status == STET_OK)
        status = read_number(reading, "clear_below", "/clear_below", &threshold->clear_below);
    if (status != STET_OK) return status;
    if (threshold->clear_below > threshold->above)
        return refuse(reading, "/clear_below", "is not greater than above");
    if (hold != DOC_NONE && (!doc_u64(reading->doc, hold, &for_s) || for_s > ALERT_HOLD_S_MAX))
        return refuse_at(reading->err, reading->name, "/for_s", ALERT_HOLD_S_MAX,
                         "is a whole number of seconds, not too large");
    threshold->for_s = (unsigned)for_s;
    return STET_OK;
}

static stet_status check_members(const struct reading *reading, doc_node object, const char *below,
                                 const char *const *names, const char *known) {
    for (doc_node one = doc_first(reading->doc, object); one != DOC_NONE;
         one = doc_next(reading->doc, one)) {
        stet_view key = doc_key_raw(reading->doc, one);
        char member[96];
        size_t i = 0;
        while (names[i] != NULL && !view_equal(key, view_of(names[i])))
            i++;
        if (names[i] != NULL) continue;
        snprintf(member, sizeof member, "%s/%.*s", below, (int)(key.size < 64 ? key.size : 64),
                 key.bytes);
        return refuse(reading, member, known);
    }
    return STET_OK;
}

static stet_status read_webhook(const struct reading *reading) {
    static const char *const names[] = {"url", "secret", NULL};
    const struct doc *doc = reading->doc;
    doc_node webhook = doc_member(doc, reading->alert, VIEW("webhook"));
    stet_view url = {0}, unused = {0};
    if (webhook == DOC_NONE) return STET_OK;
    if (doc_kind(doc, webhook) != DOC_OBJECT)
        return refuse(reading, "/webhook", "is an object with url, and perhaps secret");
    stet_status status = check_members(reading, webhook, "/webhook", names,
                                       "is not known here; possible are url and secret");
    if (status == STET_OK)
        status = read_text(reading, webhook, "url", "/webhook/url", HANDLER_URL_BYTES_MAX, &url);
    if (status != STET_OK) return status;
    bool valid = view_starts(url, VIEW("http://")) || view_starts(url, VIEW("https://"));
    for (size_t i = 0; i < url.size; i++)
        valid = valid && url.bytes[i] > ' ' && url.bytes[i] < 0x7f;
    if (!valid)
        return refuse(reading, "/webhook/url", "is a URL that begins with http:// or https://");
    reading->threshold->webhook = true;
    /* null: the one that was given before. */
    doc_node secret = doc_member(doc, webhook, VIEW("secret"));
    if (secret == DOC_NONE || doc_kind(doc, secret) == DOC_NULL) return STET_OK;
    return read_text(reading, webhook, "secret", "/webhook/secret", HANDLER_SECRET_BYTES_MAX,
                     &unused);
}

static stet_status read_one(const struct reading *reading) {
    static const char *const names[] = {"measure", "lane",     "class",   "above", "clear_below",
                                        "for_s",   "severity", "webhook", NULL};
    stet_view severity = VIEW("warning");
    if (doc_kind(reading->doc, reading->alert) != DOC_OBJECT)
        return refuse(reading, "", "is an object with measure and above");
    stet_status status = check_members(reading, reading->alert, "", names,
                                       "is not known here; possible are measure, lane, class, "
                                       "above, clear_below, for_s, severity and webhook");
    if (status == STET_OK) status = read_measure(reading);
    if (status == STET_OK) status = read_of_what(reading);
    if (status == STET_OK) status = read_bounds(reading);
    if (status == STET_OK)
        status = read_text(reading, reading->alert, "severity", "/severity", 16, &severity);
    if (status != STET_OK) return status;
    reading->threshold->critical = view_equal(severity, VIEW("critical"));
    if (!reading->threshold->critical && !view_equal(severity, VIEW("warning")))
        return refuse(reading, "/severity", "is warning or critical");
    return read_webhook(reading);
}

static bool is_name(stet_view name) {
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return name.size > 0 && name.size <= ALERT_NAME_BYTES_MAX;
}

stet_status threshold_read(struct arena *arena, const struct doc *doc, doc_node alerts,
                           struct threshold **list, size_t *count, stet_error *err) {
    *list = NULL;
    *count = 0;
    if (alerts == DOC_NONE) return STET_OK;
    if (doc_kind(doc, alerts) != DOC_OBJECT || doc_count(doc, alerts) > ALERTS_MAX) {
        error_set(err, STET_INVALID_SETTINGS, "is an object of at most %d alerts", ALERTS_MAX);
        error_field(err, "/alerts", ALERTS_MAX);
        error_subject(err, "the settings");
        return STET_INVALID_SETTINGS;
    }
    *list = arena_zalloc(arena, doc_count(doc, alerts) + 1, sizeof **list);
    if (*list == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for settings");
    for (doc_node one = doc_first(doc, alerts); one != DOC_NONE; one = doc_next(doc, one)) {
        struct threshold *threshold = &(*list)[*count];
        threshold->name = doc_key_raw(doc, one);
        if (!is_name(threshold->name)) {
            error_set(err, STET_INVALID_SETTINGS,
                      "has a name that is not of letters, digits, \"_\", \"-\" and \".\"");
            error_field(err, "/alerts", ALERT_NAME_BYTES_MAX);
            error_subject(err, "the settings");
            return STET_INVALID_SETTINGS;
        }
        stet_status status =
            read_one(&(struct reading){arena, doc, one, threshold->name, threshold, err});
        if (status != STET_OK) return status;
        ++*count;
    }
    return STET_OK;
}
