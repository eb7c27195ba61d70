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

/* sessions.c */
void handle_login(struct request *request);
void handle_logout(struct request *request);
void handle_session_get(struct request *request);
void handle_link_redeem(struct request *request);
void handle_password(struct request *request);
void handle_session_list(struct request *request);
void handle_session_end(struct request *request);
void handle_session_end_all(struct request *request);
void handle_session_rename(struct request *request);
void handle_ticket_create(struct request *request);

/* users.c */
void handle_user_list(struct request *request);
void handle_user_create(struct request *request);
void handle_user_get(struct request *request);
void handle_user_patch(struct request *request);
void handle_user_password(struct request *request);
void handle_link_list(struct request *request);
void handle_link_create(struct request *request);
void handle_link_revoke(struct request *request);

/* calendar.c */
void handle_calendar_get(struct request *request);
void handle_calendar_free(struct request *request);
void handle_calendar_import(struct request *request);
void handle_series(struct request *request);

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
void handle_purge(struct request *request);
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

/* operations.c */
void handle_operation_submit(struct request *request);
void handle_operation_list(struct request *request);
void handle_operation_get(struct request *request);
void handle_operation_cancel(struct request *request);
void handle_operation_retry(struct request *request);
void handle_operation_progress(struct request *request);
void handle_operation_complete(struct request *request);
void handle_operation_fail(struct request *request);
void handle_operation_release(struct request *request);

/* claims.c, lanes.c */
void handle_claim(struct request *request);
void handle_lane_list(struct request *request);
void handle_lane_get(struct request *request);
void handle_lane_put(struct request *request);
void handle_lane_pause(struct request *request);
void handle_lane_resume(struct request *request);
void handle_lane_drain(struct request *request);

/* functions.c */
void handle_function_list(struct request *request);
void handle_functions_apply(struct request *request);
void handle_function_get(struct request *request);
void handle_function_put(struct request *request);
void handle_function_delete(struct request *request);
void handle_function_call(struct request *request);

/* reactions.c */
void handle_handler_list(struct request *request);
void handle_handler_get(struct request *request);
void handle_handler_put(struct request *request);
void handle_handler_delete(struct request *request);

/* settings.c */
void handle_settings_get(struct request *request);
void handle_settings_put(struct request *request);
void handle_alert_list(struct request *request);

/* live_open.c */
void handle_live(struct request *request);

/* transactions.c, import.c, export.c, changes.c, metrics.c, contract.c */
void handle_transaction(struct request *request);
void handle_import(struct request *request);
void handle_export(struct request *request);
void handle_changes(struct request *request);
void handle_metrics(struct request *request);
void handle_openapi(struct request *request);

/* telemetry.c */
void handle_telemetry(struct request *request);

/* assets.c */
void handle_page(struct request *request);
void handle_asset(struct request *request);
void handle_packages(struct request *request);
void handle_package(struct request *request);

#endif
