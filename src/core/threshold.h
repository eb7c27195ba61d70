/*
 * Thresholds: what a space's settings say under "alerts". modules/settings checks them when they are put, modules/alerts watches them; so
 * that neither needs the other, the words are here.
 *
 *   {"NAME": {"measure": "queue_depth" | "queue_wait_s" | "oldest_wait_s" | "processing_s" | "conflict_rate" | "rejections",
 *             "above": number, "clear_below"?: number, "for_s"?: seconds, "lane"?, "class"?, "severity"?: "warning" | "critical",
 *             "webhook"?: {"url", "secret"?}}}
 */
#ifndef CORE_THRESHOLD_H
#define CORE_THRESHOLD_H

#include "core/module.h"
#include "doc/doc.h"

struct threshold {
    stet_view name; /* Letters, digits, "_", "-" and "."; so it needs no escape anywhere. */
    enum module_measure measure;
    stet_view lane;    /* Empty: all together. */
    stet_class class_; /* STET_CLASS_DEFAULT: all. */
    double above;
    double clear_below; /* Not above `above`; that is what it is unless given. */
    unsigned for_s;     /* How long it must stay past either before anything is said. */
    bool critical;
    bool webhook;
};

/*
 * Reads the object of them (DOC_NONE: there are none) into the arena. Views into the document's text or the arena.
 *
 * @return STET_OK, STET_NO_MEMORY, STET_INVALID_SETTINGS with a pointer below /alerts.
 */
stet_status threshold_read(struct arena *arena, const struct doc *doc, doc_node alerts,
                           struct threshold **list, size_t *count, stet_error *err);

const char *measure_name(enum module_measure measure);
/* "" for STET_CLASS_DEFAULT. */
const char *threshold_class_name(stet_class class_);
/* False: there is no such class. */
bool threshold_class_parse(stet_view name, stet_class *class_);

/* What a JSON number without a sign says. Not exact in the last digit. */
double threshold_value(stet_view text);

/* A JSON number: three decimals at most, whatever the locale. NULL bytes: out of memory. */
stet_view threshold_number(struct arena *arena, double value);

#endif
