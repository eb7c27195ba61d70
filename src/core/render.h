/*
 * Rendering: the one place where records and changes become JSON for an actor. Get, list, history, feed, conflicts and export all
 * come here, so that what an actor may not see is left out everywhere at once: fields that are hidden from the viewer are in nothing
 * that is rendered. Whether the viewer may see the version at all is for the caller to ask (viewer_sees); viewer NULL hides nothing.
 */
#ifndef CORE_RENDER_H
#define CORE_RENDER_H

#include "core/client.h"
#include "doc/write.h"

struct viewer; /* core/access.h */

/* {type, id, address, version, seq, created_at, …, data}: the record as of this change. A tombstone has "deleted": true. */
void render_record(struct json_writer *writer, const struct viewer *viewer,
                   const struct store_change *change, const struct created *created);
/* The same with what a tombstone had last as its data. */
void render_deleted(struct json_writer *writer, const struct viewer *viewer,
                    const struct store_change *change, const struct created *created);

/* The same members without the braces, e.g. to add "merge" or "unchanged" to them. */
void render_record_members(struct json_writer *writer, const struct viewer *viewer,
                           const struct store_change *change, const struct created *created);

/* Flat: {id, version, seq, created_at, …, every member of data but those beginning with "_"}: system resources. */
void render_flat_members(struct json_writer *writer, const struct store_change *change,
                         const struct created *created);

/* Only {id, version, seq, created_at, …}: for who knows the members of data already. */
void render_flat_head(struct json_writer *writer, const struct store_change *change,
                      const struct created *created);

/* {purged_by, purged_at, reason} of a purge's tombstone, as members. */
void render_purge(struct json_writer *writer, const struct store_change *row);

/* A line of history: {version, seq, transaction, op, base_version, at, by, …, data?}. */
void render_history_entry(struct json_writer *writer, const struct viewer *viewer,
                          const struct store_change *change, bool with_data);

/* A line of an export, without its newline; see stet_command_export. created: NULL leaves it out. */
void render_export_line(struct json_writer *writer, const struct viewer *viewer,
                        const struct store_change *change, const struct created *created,
                        bool history, bool with_data);

/* What kind of event the feed makes of a change. */
stet_event_kind change_event_kind(const struct store_change *change);
/* A feed event's data: {seq, prev, transaction, op, merged?, record}. prev: the version before, 0 for none. */
void render_event(struct json_writer *writer, const struct viewer *viewer,
                  const struct store_change *change, const struct created *created);

/* Whether a change is one of a conflict's record, of which the feed has an event of its own kind. */
bool change_is_conflict(const struct store_change *change);
/* That event's data: {seq, transaction, event, user, address, conflict_type, affected_data, resolution_options?, auto_resolve_in?,
   conflict: {id, version, …}}; for a viewer who is bound by access rules of the record's type only event, address and conflict. core/event.c */
void render_conflict_event(struct json_writer *writer, const struct viewer *viewer,
                           const struct store_change *change);

/* Likewise of an operation's: {seq, transaction, event, user, operation: {id, version, …}}, without the input. core/event.c */
bool change_is_operation(const struct store_change *change);
void render_operation_event(struct json_writer *writer, const struct store_change *change);

/* "type/id" percent-encoded, as a JSON string. */
void render_address(struct json_writer *writer, stet_view type, stet_view id);
void address_format(struct buffer *buffer, stet_view type, stet_view id);
/* Splits and decodes "type/id"; views in the arena. */
stet_status address_parse(struct arena *arena, stet_view address, stet_view *type, stet_view *id,
                          stet_error *err);

/* When and by whom this version was made: an import's own words, else stamp and actor. */
int64_t change_updated_at(struct arena *arena, const struct store_change *change);
/* When its writer says the change was made; else as above. For "newest". */
int64_t change_modified_at(struct arena *arena, const struct store_change *change);
stet_view change_updated_by(struct arena *arena, const struct store_change *change);

/* Whether it was made on behalf of an operation. */
bool change_by_operation(struct arena *arena, const struct store_change *change);

/* created_at and created_by, from a record's first change. Views point into it or into the arena. */
void change_created(struct arena *arena, const struct store_change *first, struct created *created);

#endif
