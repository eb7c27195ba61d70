/*
 * Intervals that must not overlap: the member "exclusive" of a type's definition, compiled, and the intervals that a record takes by it.
 * docs/bookings.md tells people. The check itself is core/spans.h.
 *
 *     "exclusive": {"resource": "/room", "start": "/start", "end": "/end", "tz": "/tz", "unless": "status = 'cancelled'"}
 *
 * Each declaration is an index of its own (core/index.h: index_def.exclusive), with a key for every interval of a record:
 *
 *     SPAN_KEY_TAG, resource, class of length, begin, end, weight, held until, original start
 *
 * in the order of memcmp, so that all of a resource are a range, and what overlaps an interval is found by one range for each class of
 * length. begin and end are with buffers. So the rows in the store are the truth, and are kept by what keeps indexes: in
 * the commit of their record, filled when a type is declared over records, read by lists of the same snapshot.
 *
 * Times are nanoseconds since 1970 in UTC; intervals are half-open.
 *
 * Threads: a declaration is immutable, and everything here is for any thread.
 */
#ifndef CORE_EXCLUSIVE_H
#define CORE_EXCLUSIVE_H

#include "base/arena.h"
#include "doc/doc.h"
#include "stet.h"

struct expr;
struct index_def; /* core/index.h */
struct zone;      /* calendar/zone.h */

/* Where a time stands in the data: one text, or a date and a time apart from it. */
struct exclusive_time {
    stet_view pointer; /* Of the text, or of the date. */
    stet_view clock;   /* Of the time of day; empty: they are one text. */
};

/* How a record repeats; every pointer but rrule may be empty. */
struct exclusive_recurrence {
    stet_view rrule;          /* A text, as RFC 5545 has it, without "RRULE:". */
    stet_view exdate, rdate;  /* Lists of texts. */
    stet_view series;         /* Of an exception: the id of the record that repeats. */
    stet_view original_start; /* Of an exception: which occurrence it stands for. */
};

/* One declaration. Immutable; lives as long as its policy. */
struct exclusive {
    const struct exclusive *next; /* The type's next one; NULL: it was the last. */
    stet_view where;              /* Its place in the definition: "/exclusive", "/exclusive/1". */
    stet_view source;             /* Its text: equal ones are the same declaration. */
    struct index_def *index;      /* By which its spans are kept; numbered as others are. */
    stet_view resource;           /* Empty: one calendar for the type. */
    struct exclusive_time start;
    struct exclusive_time end; /* No pointer: there is a duration. */
    stet_view duration;        /* Pointer to seconds; or empty. */
    stet_view tz;              /* Pointer to the name of a zone; or empty. */
    const struct zone *zone;   /* Where the record names none; NULL: there is none. */
    const struct expr *unless; /* NULL: never. A record that it is true of takes nothing. */
    uint32_t capacity;         /* At least 1. */
    stet_view weight;          /* Pointer to a whole number; empty: 1. */
    stet_view any_of;          /* Pointer to a list of resources; or empty. */
    int64_t buffer_before, buffer_after; /* Nanoseconds. */
    stet_view hold_expires;              /* Pointer to a time; or empty. */
    stet_view allow_overlap;             /* Pointer to a text, the reason; or empty. */
    bool repeats;
    struct exclusive_recurrence recurrence; /* With repeats. */
    doc_node hours;                         /* Working hours, of `definition`; DOC_NONE: always. */
    const struct doc *definition;
};

/* One interval that a record takes. Views are in the arena, or borrowed from the document. */
struct span {
    stet_view resource; /* As an index has it: at most SPAN_RESOURCE_BYTES_MAX bytes. */
    int64_t start, end; /* Without buffers. */
    int64_t held_until; /* It is only held: it takes nothing from then on. SPAN_BOOKED: for good. */
    int64_t original_start; /* Of an occurrence of a series; else equal to start. */
    uint32_t weight;        /* At least 1. */
};
#define SPAN_BOOKED INT64_MAX

/**
 * Compiles the member "exclusive" (an object or a list of them; DOC_NONE: *first is NULL).
 *
 * @param arena  Where they go, with all they refer to.
 * @param doc    The definition. Borrowed as long as the arena lives.
 * @param first  Out: a list, in the order of the definition.
 * @param count  Out: how many; at most TYPE_EXCLUSIVE_MAX.
 *
 * @return STET_OK, STET_INVALID_TYPE, STET_TOO_LARGE: err->field is the pointer in the definition.
 */
stet_status exclusive_compile(struct arena *arena, const struct doc *doc, doc_node node,
                              const struct exclusive **first, size_t *count, stet_error *err);

/* The spans of a record by one declaration. */
struct span_list {
    struct span *spans;
    size_t count;
};

/**
 * The intervals that data takes: one for each resource and, where it repeats, each occurrence of SERIES_DAYS_MAX.
 *
 * @param steps    What following rules of recurrence may take, less what it took; NULL: RRULE_STEPS_MAX.
 * @param list     Out: in the arena; none for what takes nothing (`unless`, `allow_overlap`, weight 0, no times, no resource).
 * @param err      Out: field is the pointer in the data.
 *
 * @return STET_OK
 *         STET_INVALID_TIME  a time that is none, start >= end, longer than SPAN_DAYS_MAX, a zone that does not exist, …
 *         STET_TOO_LARGE     more than SPAN_RESOURCES_MAX resources or occurrences than a series may have, or no steps are left.
 *         STET_UNAVAILABLE   no time zone data are installed.
 *         STET_NO_MEMORY
 *
 * Expanding a series takes about a millisecond for 4,000 occurrences, and is bounded by RRULE_STEPS_MAX: about 45 ms.
 */
stet_status exclusive_spans(struct arena *arena, const struct exclusive *exclusive,
                            const struct doc *data, uint64_t *steps, struct span_list *list,
                            stet_error *err);

/* The same, whatever `unless` and `allow_overlap` say and whatever the resources are: when a record takes place. resource is empty in all of
   them. For calendars. */
stet_status exclusive_times(struct arena *arena, const struct exclusive *exclusive,
                            const struct doc *data, uint64_t *steps, struct span_list *list,
                            stet_error *err);

/*
 * The instant of a time as it is written. clock: the time of day where it stands apart; empty: text has it. zone: NULL: there is none, so
 * that only a time with an offset and a day (which is then one of UTC) are instants. calendar/zone.h tells what becomes of local times
 * that do not exist, or twice. STET_INVALID_TIME: it is none, or lies before 1970 or after 2261 (no field).
 */
stet_status exclusive_instant(stet_view text, stet_view clock, const struct zone *zone, int64_t *ns,
                              stet_error *err);

/* Hours of a day, as "hours" has them in the definition. */
enum { DAY_OPENINGS_MAX = 16 };
struct opening {
    int64_t from, to; /* Seconds of the local day. */
};

/* When a day is open, "mon" to "sun": openings is room for DAY_OPENINGS_MAX. False: it is not as docs/calendar.md has it. */
bool exclusive_openings(struct arena *arena, const struct doc *definition, doc_node day,
                        struct opening *openings, size_t *count);

/* ---- Keys ------------------------------------------------------------------------------------------------------------ */

#define SPAN_KEY_TAG 0x08 /* No key of another kind of index begins with it. */

/* What a key says. */
struct span_key {
    stet_view resource; /* Borrowed from the key; what is too long is cut and hashed. */
    int64_t begin, end; /* With buffers. */
    struct span span;   /* As above; its resource is the same. */
};

/* In the arena. STET_OK or STET_NO_MEMORY. */
stet_status span_key_make(struct arena *arena, const struct exclusive *exclusive,
                          const struct span *span, stet_view *key);
/* False: it is not the key of a span. exclusive: of its index. */
bool span_key_read(const struct exclusive *exclusive, stet_view key, struct span_key *out);

/* The resource as keys have it: itself, or its beginning and a hash. In the arena. */
stet_status span_resource(struct arena *arena, stet_view resource, stet_view *kept);

enum { SPAN_CLASSES = 9 };

/* Of the spans of a resource (as keys have it) in one class of length: those with begin < to and end > from are all in the half-open range
   of keys; others may be in it. In the arena. */
stet_status span_range(struct arena *arena, stet_view resource, unsigned class, int64_t from,
                       int64_t to, stet_view *first, stet_view *end);
/* All of a resource. */
stet_status span_range_all(struct arena *arena, stet_view resource, stet_view *first,
                           stet_view *end);

#endif
