/*
 * The handlers of the route table. Each is called once the whole body is there, on the loop's
 * thread, and ends in an answer, a refusal or a wait (request.h).
 */
#ifndef HTTP_HANDLERS_H
#define HTTP_HANDLERS_H

struct request;

/* spaces.c */
void handle_health(struct request *request);
void handle_root(struct request *request);
void handle_space_get(struct request *request);
void handle_space_put(struct request *request);
void handle_space_delete(struct request *request);
void handle_stats(struct request *request);
void handle_check(struct request *request);
void handle_token_list(struct request *request);
void handle_token_create(struct request *request);
void handle_token_revoke(struct request *request);

/* backup.c */
void handle_backup(struct request *request);

/* records.c */
void handle_record_list(struct request *request);
void handle_record_get(struct request *request);
void handle_history(struct request *request);
void handle_diff(struct request *request);
void handle_concurrency(struct request *request);
void handle_receipt(struct request *request);

/* writes.c */
void handle_record_create(struct request *request);
void handle_record_put(struct request *request);
void handle_record_patch(struct request *request);
void handle_record_delete(struct request *request);
void handle_resolve(struct request *request);
void handle_merge_preview(struct request *request);
void handle_revert(struct request *request);
void handle_move(struct request *request);

/* trees.c */
void handle_tree_get(struct request *request);
void handle_tree_put(struct request *request);
void handle_tree_delete(struct request *request);
void handle_fork(struct request *request);
void handle_merge(struct request *request);

/* locks.c */
void handle_lock_list(struct request *request);
void handle_lock_get(struct request *request);
void handle_lock_acquire(struct request *request);
void handle_lock_renew(struct request *request);
void handle_lock_release(struct request *request);

/* types.c */
void handle_type_list(struct request *request);
void handle_types_apply(struct request *request);
void handle_type_get(struct request *request);
void handle_type_put(struct request *request);
void handle_type_delete(struct request *request);

/* conflicts.c, inbox.c, bulk.c */
void handle_conflict_list(struct request *request);
void handle_conflict_get(struct request *request);
void handle_conflict_resolve(struct request *request);
void handle_conflict_reopen(struct request *request);
void handle_conflict_resolve_many(struct request *request);
void handle_inbox_list(struct request *request);
void handle_inbox_read(struct request *request);
void handle_inbox_dismiss(struct request *request);

/* transactions.c, import.c, export.c, changes.c, metrics.c, contract.c */
void handle_transaction(struct request *request);
void handle_import(struct request *request);
void handle_export(struct request *request);
void handle_changes(struct request *request);
void handle_metrics(struct request *request);
void handle_openapi(struct request *request);

#endif
