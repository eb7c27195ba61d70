/*
 * Losses: whose values a write replaces although its writer had not seen them, so that everybody can be told. Looks back from the
 * head to the writer's base, version by version, for the newest one that changed each value; of lists, and of what a rule puts together
 * from several people's work (delta, set, text, …), for every author since the base.
 *
 * Bounded (OVERWRITE_…_MAX): past the versions the write is refused as a conflict; past bytes and comparisons nobody is left out
 * either, but who lost what is no longer told apart: everybody in between loses "" (the whole record).
 *
 * Thread: the sequencer's.
 */
#ifndef CORE_LOSSES_H
#define CORE_LOSSES_H

#include "core/staging.h"

struct losses {
    const struct settlement_loss
        *items; /* In the command's arena; who only lose to themselves are left out. */
    size_t count;
};

/* STET_CONCURRENT_MODIFICATION, with the field "base_version" and the limit: the base is too far back to know who loses. */
stet_status losses_check(uint64_t base_version, const struct store_head *head, stet_error *err);

/*
 * Who wrote the values at these pointers, each of which the head holds and the base does not.
 *
 * @param base_version  0: not known; everybody who ever wrote may lose.
 * @param pointers      NULL: it is not known which values are lost: the whole record.
 * @return STET_OK; STET_CONCURRENT_MODIFICATION as losses_check; STET_IO, STET_CORRUPT, STET_NO_MEMORY.
 */
stet_status losses_find(struct staging *staging, const struct mutation *mutation,
                        const struct store_head *head, uint64_t base_version,
                        const stet_view *pointers, size_t pointer_count, struct losses *losses,
                        stet_error *err);

/*
 * The pointers at which `current` differs from `base` and `result` from `current`: what a writer who started at base overwrites with
 * result. result NULL: a deletion. *pointers is in the arena.
 */
stet_status losses_pointers(struct arena *arena, const struct doc *base, const struct doc *current,
                            const struct doc *result, stet_view **pointers, size_t *count,
                            stet_error *err);

#endif
