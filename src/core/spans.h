/*
 * Bookings that cannot overlap: the check at commit. What is booked are rows of the index entries (core/exclusive.h); here is what the
 * sequencer keeps of them in memory, and its verdict on a command.
 *
 * The cache has pages (core/slots.h) of those resources and times that were asked for, read from the store when they are first asked for
 * and let go when SPANS_CACHE_BYTES_MAX is passed. It knows of the entries of every command that was accepted, those of the batch
 * at hand included, and of nothing else: a command is judged with what it stages laid over the cache, and taken into it when it is
 * accepted. So a refusal leaves nothing to be taken back. A batch that fails empties the cache.
 *
 * A command is judged as a whole, once all of it is staged: two bookings may change places in one transaction, in any order.
 *
 * What is there already is not judged: a write that leaves a record's spans as they were is not refused for them.
 *
 * Threads: the sequencer's; rendering is for any thread.
 */
#ifndef CORE_SPANS_H
#define CORE_SPANS_H

#include "core/batch.h"
#include "core/slots.h"
#include "core/space.h"

struct json_writer;
struct staging;
struct viewer;

struct spans; /* In struct space; NULL until there is a booking. */

void spans_destroy(struct spans *spans); /* Accepts NULL. */

/* A batch was taken back. */
void spans_reset(struct spans *spans); /* Accepts NULL. */
/* The command at hand is accepted: its entries, from batch->entry_mark on. */
void spans_accept(struct space *space, const struct batch *batch);

/* Why a mutation was refused; all in the command's arena. Times are without buffers. */
struct slot_taken {
    struct slot_in_way {
        uint64_t record;   /* Its number. */
        stet_view address; /* Of what the same command wants to book; else empty: see the record. */
        stet_view resource;
        int64_t start, end;
        int64_t original_start; /* Which of the mutation's own spans it is in the way of. */
    } * in_the_way;
    size_t way_count;
    uint64_t more; /* Others that are in the way as well. */
    struct slot_free {
        stet_view resource;
        int64_t start, end;
    } * next_free;
    size_t free_count;
};

/*
 * Judges what the command stages. Where there is no room, the mutations are refused with SLOT_TAKEN and mutation->taken; returns that, or
 * STET_OK, or why it could not be judged.
 */
stet_status spans_check(struct staging *staging, stet_error *err);

/*
 * Chooses a resource where the type's definition says "any_of" and the record names none: the one it had, if that is in the list and has
 * room, else the first of the list that has. data and hash: replaced by data that names it. Where none has room it is left
 * to the check to say so, with the first of the list.
 */
stet_status spans_choose(struct staging *staging, const struct mutation *mutation,
                         const struct store_head *head, stet_view *data, uint64_t *hash,
                         stet_error *err);

/*
 * While an index is filled: whether there is room for a slot, which need not be there yet, beside those of other records; these are put into
 * hits, a list of the caller's. there: NULL, or set to whether it is there, and then only records that are older than its own count.
 */
stet_status spans_collide(struct space *space, const struct batch *batch,
                          const struct index_def *def, stet_view resource, const struct slot *slot,
                          bool *there, struct slot_list *hits, bool *room, stet_error *err);

/* Whose answer a refusal is told in. */
struct taken_answer {
    struct stet_client *client; /* Remembers addresses. */
    const struct viewer *viewer;
    struct arena *arena;
    stet_view type; /* Of the mutation that was refused, and so of all that is in its way. */
};

/* Members of the answer: "in_the_way", "next_free". Addresses are shown of what the viewer may read. By the client's thread. */
stet_status slot_taken_render(const struct taken_answer *answer, const struct slot_taken *taken,
                              struct json_writer *writer, stet_error *err);

#endif
