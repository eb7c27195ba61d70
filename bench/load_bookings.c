/*
 * Bookings: intervals of rooms, of which no two may overlap. See load.h.
 *
 * So many rooms have a meeting of an hour every two hours, for as long as there are spans. "book" takes half hours in between, each
 * but once: all of them must be granted. "slot" sends everybody after one half hour: one of them gets it, the others must be told.
 */
#include "load.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROOMS = 1000,
    FILL_LINES = 20000,
    FILL_LINE_BYTES = 512,
    HOUR_S = 3600,
    HALF_HOUR_S = 1800,
};

/* 2027-01-01T00:00:00Z, a stable place in the future. */
static const time_t first_s = 1798761600;

static void format_time(time_t seconds, char out[BOOKING_TIME_BYTES + 1]) {
    struct tm parts;
    gmtime_r(&seconds, &parts);
    if (strftime(out, BOOKING_TIME_BYTES + 1, "%Y-%m-%dT%H:%M:%SZ", &parts) != BOOKING_TIME_BYTES)
        load_fail("a time past the year 9999");
}

static void make_booking(uint64_t number, size_t room, time_t start, time_t length,
                         struct booking *booking) {
    snprintf(booking->id, sizeof booking->id, "booking-%012llu", (unsigned long long)number);
    snprintf(booking->room, sizeof booking->room, "room-%04u", (unsigned)room);
    format_time(start, booking->start);
    format_time(start + length, booking->end);
    int size =
        snprintf(booking->data, sizeof booking->data,
                 "{\"room\":\"%s\",\"start\":\"%s\",\"end\":\"%s\",\"title\":\"Meeting %llu\","
                 "\"status\":\"confirmed\",\"organizer\":\"ann\"}",
                 booking->room, booking->start, booking->end, (unsigned long long)number);
    booking->data_size = (size_t)size;
}

/* The one that is there from the start. */
static void make_existing(size_t number, struct booking *booking) {
    time_t start = first_s + (time_t)(number / ROOMS) * 2 * HOUR_S;
    make_booking(number, number % ROOMS, start, HOUR_S, booking);
}

/* What is taken in between: every room in turn, but not one beside the other. */
static void make_between(uint64_t number, struct booking *booking) {
    time_t start = first_s + (time_t)(number / ROOMS) * 2 * HOUR_S + HOUR_S;
    make_booking(1000000000u + number, (size_t)(number * 619 % ROOMS), start, HALF_HOUR_S, booking);
}

static void import_existing(struct target *target, size_t spans) {
    char *lines = malloc((size_t)FILL_LINES * FILL_LINE_BYTES);
    char key[WORKLOAD_KEY_BYTES];
    size_t size = 0, count = 0;
    if (lines == NULL) load_fail("out of memory for an import");
    for (size_t i = 0; i < spans; i++) {
        struct booking booking;
        make_existing(i, &booking);
        workload_key(key);
        size += (size_t)snprintf(lines + size, FILL_LINE_BYTES,
                                 "{\"type\":\"" BOOKING_TYPE "\",\"id\":\"%s\","
                                 "\"client_mutation_id\":\"%.*s\",\"data\":%.*s}\n",
                                 booking.id, (int)sizeof key, key, (int)booking.data_size,
                                 booking.data);
        if (++count < FILL_LINES && i + 1 < spans) continue;
        target->import(target, (stet_view){"main", 4}, (stet_view){lines, size}, count);
        size = count = 0;
    }
    free(lines);
}

void bookings_begin(struct load *load) {
    struct site *site = load->site;
    struct target *target = site->target;
    size_t spans = load->settings->records;
    if (!site->booked && target->keep_bookings != NULL) {
        target->keep_bookings(target, ROOMS, spans);
    } else if (!site->booked) {
        target->declare(
            target, BOOKING_TYPE,
            "{\"exclusive\":{\"resource\":\"/room\",\"start\":\"/start\",\"end\":\"/end\"}}");
        import_existing(target, spans);
    }
    site->booked = true;
    load->booking = site->bookings++;
}

void bookings_next(struct load *load, struct connection *connection) {
    struct op *op = &connection->op;
    struct site *site = load->site;
    make_between(load->mode == MODE_SLOT ? load->booking : site->bookings++, &connection->booking);
    if (load->mode == MODE_SLOT) {
        /* Everybody's own record, and the same time. */
        snprintf(connection->booking.id, sizeof connection->booking.id, "wish-%012llu",
                 (unsigned long long)site->wishes++);
    }
    workload_key(connection->key);
    op->kind = OP_BOOK;
    op->type = (stet_view){BOOKING_TYPE, sizeof BOOKING_TYPE - 1};
    op->id = (stet_view){connection->booking.id, strlen(connection->booking.id)};
    op->data = (stet_view){connection->booking.data, connection->booking.data_size};
    op->key = (stet_view){connection->key, sizeof connection->key};
    op->booking = &connection->booking;
    op->minimal = true;
}

bool bookings_good(struct load *load, const struct reply *reply) {
    bool granted = reply->kind == REPLY_CREATED || reply->kind == REPLY_OK;
    if (granted) load->won++;
    if (load->mode == MODE_BOOK) return granted;
    if (granted) return load->won == 1;
    if (load->counting) load->lost++;
    return reply->kind == REPLY_CONFLICT;
}

void bookings_end(struct load *load) {
    if (load->mode != MODE_SLOT || load->won == 1) return;
    fprintf(stderr, "http_load: %s: %llu got one slot\n", load->site->target->name,
            (unsigned long long)load->won);
    exit(1);
}
