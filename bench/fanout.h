/*
 * Fan-out: many who listen to one type, and writers. One thread with one epoll set does both, and looks at no more of an event than its
 * kind and its position.
 *
 * Every subscriber keeps how many changes it got, the last position (each must be above the one before) and a sum of what the positions
 * hash to. The answers of the writes say what there was: whoever has the same number with the same sum, ascending, got each of them
 * once, in order. The first who did not ends the program.
 */
#ifndef BENCH_FANOUT_H
#define BENCH_FANOUT_H

#include "measure.h"
#include "target.h"

#include <stdnoreturn.h>

/* A subscriber with a condition names one of so many groups, into which the records fall. */
enum { FANOUT_GROUPS = 16, FANOUT_WRITERS_MAX = 256 };

enum fanout_mix {
    FANOUT_TYPE,   /* All follow the type. */
    FANOUT_MIXED,  /* A quarter follows the type, a half a record each, a quarter a condition. */
    FANOUT_RECORD, /* Each follows a record. */
};
extern const char *const fanout_mix_names[];

/* On what they listen. */
enum fanout_wire {
    FANOUT_STREAM, /* An event stream. */
    FANOUT_SOCKET, /* A WebSocket with one subscription. */
};
extern const char *const fanout_wire_names[];

struct fanout {
    struct target *target;
    unsigned subscribers;
    enum fanout_mix mix;
    enum fanout_wire wire;
    size_t records;
    unsigned writers; /* Connections; in flat out mode so many writes are under way. */
    double rate;      /* Writes per second; 0: flat out. */
    /* Flat out: the next write begins when fewer than so many changes are on their way to somebody. */
    unsigned ahead;
    double seconds;      /* Of writing; then everything is waited for. */
    unsigned patience_s; /* How long nothing may come that is still due. */
};

struct fanout_row {
    double seconds; /* From the first write to the last event. */
    double writes, events;
    double p50_us, p99_us;  /* From when the write was due to the event's arrival, of all events. */
    double ack_p50_us;      /* From the same to the write's answer. */
    struct cpu server, own; /* Used in that time. */
    uint64_t resident_before; /* With the records, before the first subscriber came. */
    uint64_t resident_idle;   /* With all of them, nothing written yet. */
    uint64_t resident_after;  /* When everything was delivered. */
};

/* Stores the records that are not there yet, opens the streams, writes, waits, checks, closes. Ends the program when the server is at
   fault. The number of records is the same in every call of a program. */
void fanout_run(const struct fanout *fanout, struct fanout_row *row);
/* The server is another: nothing is stored there. */
void fanout_forget(void);

/* Resident bytes that each of `count` connections costs that had one answer and are kept. */
double fanout_idle_bytes(struct target *target, unsigned count);

#endif
