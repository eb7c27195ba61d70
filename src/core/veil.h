/*
 * The veil: how somebody writes a record of which fields are hidden from them (core/access.h). What they send is about the record as they
 * see it; what they do not see stays as it is.
 *
 *   PUT     what is hidden in the version it was made from is put into what they sent.
 *   PATCH   is applied to the version as they see it, so that no "test" and no "copy" finds out what they do not; then as PUT.
 *
 * Whoever gives a hidden field a value, or names one in a patch, is refused: STET_FORBIDDEN, err->field is its pointer. What nobody sent
 * (a merge, a revert) is compared when it is judged (access_check).
 *
 * Any thread.
 */
#ifndef CORE_VEIL_H
#define CORE_VEIL_H

#include "core/access.h"
#include "core/command.h"

struct veil {
    struct space *space;
    const struct policy *policy; /* NULL: the type has none. */
    const stet_actor *actor;
    struct arena *arena; /* For all that is made. */
};

/* Whether anything may be hidden from the actor in some record of the type. All else is for those of whom it is true. */
bool veil_is_on(const struct veil *veil);

/* Whether a write may be made from a version: STET_NOT_FOUND to those who may not read it. */
stet_status veil_base(const struct veil *veil, const struct store_change *version, stet_error *err);

/* A version as the actor sees it; whether they may see it at all is not asked. *data: its own text where nothing is hidden. */
stet_status veil_show(const struct veil *veil, const struct store_change *version, stet_view *data,
                      stet_error *err);

/* from: the version that was in their hands; NULL: the record is new. *whole may be `sent`. */
stet_status veil_put(const struct veil *veil, const struct store_change *from, stet_view sent,
                     stet_view *whole, stet_error *err);

/*
 * Data that somebody else wrote, as the actor would see a record with it, if they would. But what is hidden may depend on the data: of what is hidden in one
 * of the other versions beside which it is shown, it may show nothing. *shown: no bytes where it would.
 */
stet_status veil_yours(const struct veil *veil, stet_view data,
                       const struct store_change *const *beside, size_t count, stet_view *shown,
                       stet_error *err);

/*
 * A mutation's patch on a version, as merging_patch (core/merging.h), for anybody. Where the veil is on, mutation->shown becomes the result
 * as they see it, and mutation->veiled_by the policy's.
 */
stet_status veil_patch(const struct veil *veil, struct mutation *mutation,
                       const struct store_change *onto, stet_view *data, struct doc *result,
                       uint64_t *hash, stet_error *err);

#endif
