/*
 * Patches: RFC 7396 (merge patch) and RFC 6902 (JSON patch). The result is new JSON text in the arena; spans that the patch
 * does not touch are copied as they stand, so numbers keep their spelling and untouched members their order.
 *
 * A result is at most doc_limits_default.bytes_max bytes and depth_max deep: STET_TOO_LARGE otherwise, with err->limit.
 */
#ifndef DOC_PATCH_H
#define DOC_PATCH_H

#include "doc/doc.h"

/**
 * RFC 7396. Any JSON value is a merge patch.
 *
 * @param target  NULL: absent, as if it were {}.
 * @param out     Out: the new text, in the arena.
 *
 * @return STET_OK, STET_TOO_LARGE
 */
stet_status doc_merge_patch(struct arena *arena, const struct doc *target, const struct doc *patch,
                            stet_view *out, stet_error *err);

/**
 * RFC 6902. All operations or none.
 *
 * @return STET_OK
 *         STET_CONCURRENT_MODIFICATION  a `test` failed (the value differs or is absent): err->field is its path. The writer's
 *                                       premise no longer holds: a conflict.
 *         STET_PATCH_FAILED   the patch does not fit the target (a path is missing, an index out of range): err->field points
 *                             into the patch, such as "/3/path".
 *         STET_BAD_REQUEST    not a patch document: err->field likewise.
 *         STET_TOO_LARGE      result too large or too deep, more than PATCH_OPS_MAX operations, or more than PATCH_STEPS_MAX
 *                             steps of work.
 */
stet_status doc_json_patch(struct arena *arena, const struct doc *target, const struct doc *patch,
                           stet_view *out, stet_error *err);

#endif
