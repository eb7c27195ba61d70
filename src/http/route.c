#include "http/route.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/handlers.h"
#include "http/params.h"

#include <assert.h>

/* A read takes no body; a little is drained and ignored so that the connection survives. */
#define NO_BODY 0
/* Envelopes and resolutions wrap one or two documents in a few members. */
#define ENVELOPE_BYTES_MAX (2 * DATA_BYTES_MAX + 64 * 1024)
#define SMALL_BYTES_MAX (64 * 1024)
/* Many resolutions, each with a choice and perhaps some data. */
#define BULK_BYTES_MAX TRANSACTION_BYTES_MAX
#define READ_BYTES_MAX (INBOX_READ_MAX * (2 * ID_BYTES_MAX + 8))

/* Looked through in order; what is asked for most stands first. */
const struct route routes[] = {
    {"/v1/{space}/records/{type}/{id}",
     {[METHOD_GET] = {handle_record_get, ACCESS_ACTOR, NO_BODY, "getRecord"},
      [METHOD_PUT] = {handle_record_put, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "putRecord"},
      [METHOD_PATCH] = {handle_record_patch, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "patchRecord"},
      [METHOD_DELETE] = {handle_record_delete, ACCESS_ACTOR, SMALL_BYTES_MAX, "deleteRecord"}}},
    {"/healthz", {[METHOD_GET] = {handle_health, ACCESS_NONE, NO_BODY, "getHealth"}}},
    {"/", {[METHOD_GET] = {handle_page, ACCESS_NONE, NO_BODY, "getWelcome"}}},
    {"/assets/{name}", {[METHOD_GET] = {handle_asset, ACCESS_NONE, NO_BODY, "getAsset"}}},
    {"/sdk/", {[METHOD_GET] = {handle_packages, ACCESS_NONE, NO_BODY, "listPackages"}}},
    {"/sdk/{name}", {[METHOD_GET] = {handle_package, ACCESS_NONE, NO_BODY, "getPackage"}}},
    {"/openapi.yaml", {[METHOD_GET] = {handle_openapi, ACCESS_NONE, NO_BODY, "getContract"}}},
    {"/metrics", {[METHOD_GET] = {handle_metrics, ACCESS_METRICS, NO_BODY, "getMetrics"}}},
    {"/v1", {[METHOD_GET] = {handle_root, ACCESS_ACTOR, NO_BODY, "getServer"}}},
    {"/v1/stet/tokens",
     {[METHOD_GET] = {handle_token_list, ACCESS_SERVER, NO_BODY, "listTokens"},
      [METHOD_POST] = {handle_token_create, ACCESS_SERVER, SMALL_BYTES_MAX, "createToken"}}},
    {"/v1/stet/tokens/{token}",
     {[METHOD_DELETE] = {handle_token_revoke, ACCESS_SERVER, NO_BODY, "revokeToken"}}},
    {"/v1/{space}",
     {[METHOD_GET] = {handle_space_get, ACCESS_ACTOR, NO_BODY, "getSpace"},
      [METHOD_PUT] = {handle_space_put, ACCESS_SERVER, SMALL_BYTES_MAX, "createSpace"},
      [METHOD_DELETE] = {handle_space_delete, ACCESS_SERVER, NO_BODY, "deleteSpace"}}},
    {"/v1/{space}/stats", {[METHOD_GET] = {handle_stats, ACCESS_ACTOR, NO_BODY, "getStats"}}},
    {"/v1/{space}/check", {[METHOD_GET] = {handle_check, ACCESS_ADMIN, NO_BODY, "checkSpace"}}},
    {"/v1/{space}/records/{type}",
     {[METHOD_GET] = {handle_record_list, ACCESS_ACTOR, NO_BODY, "listRecords"},
      [METHOD_POST] = {handle_record_create, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "createRecord"}}},
    {"/v1/{space}/records/{type}/{id}/history",
     {[METHOD_GET] = {handle_history, ACCESS_ACTOR, NO_BODY, "getHistory"}}},
    {"/v1/{space}/records/{type}/{id}/diff",
     {[METHOD_GET] = {handle_diff, ACCESS_ACTOR, NO_BODY, "getDiff"}}},
    {"/v1/{space}/records/{type}/{id}/concurrency",
     {[METHOD_GET] = {handle_concurrency, ACCESS_ACTOR, NO_BODY, "getConcurrency"}}},
    {"/v1/{space}/records/{type}/{id}/resolve",
     {[METHOD_POST] = {handle_resolve, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "resolveRecord"}}},
    {"/v1/{space}/records/{type}/{id}/merge-preview",
     {[METHOD_POST] = {handle_merge_preview, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "previewMerge"}}},
    {"/v1/{space}/records/{type}/{id}/tree",
     {[METHOD_GET] = {handle_tree_get, ACCESS_ACTOR, NO_BODY, "getTree"},
      [METHOD_PUT] = {handle_tree_put, ACCESS_ACTOR, TRANSACTION_BYTES_MAX, "putTree"},
      [METHOD_DELETE] = {handle_tree_delete, ACCESS_ACTOR, SMALL_BYTES_MAX, "deleteTree"}}},
    {"/v1/{space}/records/{type}/{id}/move",
     {[METHOD_POST] = {handle_move, ACCESS_ACTOR, SMALL_BYTES_MAX, "moveRecord"}}},
    {"/v1/{space}/records/{type}/{id}/fork",
     {[METHOD_POST] = {handle_fork, ACCESS_ACTOR, SMALL_BYTES_MAX, "forkRecord"}}},
    {"/v1/{space}/records/{type}/{id}/merge",
     {[METHOD_POST] = {handle_merge, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "mergeFork"}}},
    {"/v1/{space}/records/{type}/{id}/revert",
     {[METHOD_POST] = {handle_revert, ACCESS_ACTOR, SMALL_BYTES_MAX, "revertRecord"}}},
    {"/v1/{space}/records/{type}/{id}/purge",
     {[METHOD_POST] = {handle_purge, ACCESS_ADMIN, SMALL_BYTES_MAX, "purgeRecord"}}},
    {"/v1/{space}/operations",
     {[METHOD_GET] = {handle_operation_list, ACCESS_ACTOR, NO_BODY, "listOperations"},
      [METHOD_POST] = {handle_operation_submit, ACCESS_ACTOR, ENVELOPE_BYTES_MAX,
                       "submitOperation"}}},
    {"/v1/{space}/operations/{id}",
     {[METHOD_GET] = {handle_operation_get, ACCESS_ACTOR, NO_BODY, "getOperation"}}},
    {"/v1/{space}/operations/{id}/progress",
     {[METHOD_POST] = {handle_operation_progress, ACCESS_ACTOR, SMALL_BYTES_MAX,
                       "reportProgress"}}},
    {"/v1/{space}/operations/{id}/complete",
     {[METHOD_POST] = {handle_operation_complete, ACCESS_ACTOR, TRANSACTION_BYTES_MAX,
                       "completeOperation"}}},
    {"/v1/{space}/operations/{id}/fail",
     {[METHOD_POST] = {handle_operation_fail, ACCESS_ACTOR, SMALL_BYTES_MAX, "failOperation"}}},
    {"/v1/{space}/operations/{id}/release",
     {[METHOD_POST] = {handle_operation_release, ACCESS_ACTOR, SMALL_BYTES_MAX,
                       "releaseOperation"}}},
    {"/v1/{space}/operations/{id}/cancel",
     {[METHOD_POST] = {handle_operation_cancel, ACCESS_ACTOR, SMALL_BYTES_MAX, "cancelOperation"}}},
    {"/v1/{space}/operations/{id}/retry",
     {[METHOD_POST] = {handle_operation_retry, ACCESS_ACTOR, SMALL_BYTES_MAX, "retryOperation"}}},
    {"/v1/{space}/lanes", {[METHOD_GET] = {handle_lane_list, ACCESS_ACTOR, NO_BODY, "listLanes"}}},
    {"/v1/{space}/lanes/{lane}",
     {[METHOD_GET] = {handle_lane_get, ACCESS_ACTOR, NO_BODY, "getLane"},
      [METHOD_PUT] = {handle_lane_put, ACCESS_ACTOR, SMALL_BYTES_MAX, "putLane"}}},
    {"/v1/{space}/lanes/{lane}/claim",
     {[METHOD_POST] = {handle_claim, ACCESS_ACTOR, SMALL_BYTES_MAX, "claimOperations"}}},
    {"/v1/{space}/lanes/{lane}/pause",
     {[METHOD_POST] = {handle_lane_pause, ACCESS_ACTOR, SMALL_BYTES_MAX, "pauseLane"}}},
    {"/v1/{space}/lanes/{lane}/resume",
     {[METHOD_POST] = {handle_lane_resume, ACCESS_ACTOR, SMALL_BYTES_MAX, "resumeLane"}}},
    {"/v1/{space}/lanes/{lane}/drain",
     {[METHOD_POST] = {handle_lane_drain, ACCESS_ACTOR, SMALL_BYTES_MAX, "drainLane"}}},
    {"/v1/{space}/functions",
     {[METHOD_GET] = {handle_function_list, ACCESS_ACTOR, NO_BODY, "listFunctions"},
      [METHOD_PUT] = {handle_functions_apply, ACCESS_ADMIN, TRANSACTION_BYTES_MAX,
                      "applyFunctions"}}},
    {"/v1/{space}/functions/{name}",
     {[METHOD_GET] = {handle_function_get, ACCESS_ACTOR, NO_BODY, "getFunction"},
      [METHOD_POST] = {handle_function_call, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "callFunction"},
      [METHOD_PUT] = {handle_function_put, ACCESS_ADMIN, ENVELOPE_BYTES_MAX, "putFunction"},
      [METHOD_DELETE] = {handle_function_delete, ACCESS_ADMIN, SMALL_BYTES_MAX, "deleteFunction"}}},
    {"/v1/{space}/handlers",
     {[METHOD_GET] = {handle_handler_list, ACCESS_ACTOR, NO_BODY, "listHandlers"}}},
    {"/v1/{space}/handlers/{name}",
     {[METHOD_GET] = {handle_handler_get, ACCESS_ACTOR, NO_BODY, "getHandler"},
      [METHOD_PUT] = {handle_handler_put, ACCESS_ADMIN, ENVELOPE_BYTES_MAX, "putHandler"},
      [METHOD_DELETE] = {handle_handler_delete, ACCESS_ADMIN, SMALL_BYTES_MAX, "deleteHandler"}}},
    {"/v1/{space}/settings",
     {[METHOD_GET] = {handle_settings_get, ACCESS_ACTOR, NO_BODY, "getSettings"},
      [METHOD_PUT] = {handle_settings_put, ACCESS_ADMIN, ENVELOPE_BYTES_MAX, "putSettings"}}},
    {"/v1/{space}/alerts",
     {[METHOD_GET] = {handle_alert_list, ACCESS_ACTOR, NO_BODY, "listAlerts"}}},
    {"/v1/{space}/locks", {[METHOD_GET] = {handle_lock_list, ACCESS_ACTOR, NO_BODY, "listLocks"}}},
    {"/v1/{space}/locks/{id}",
     {[METHOD_GET] = {handle_lock_get, ACCESS_ACTOR, NO_BODY, "getLock"},
      [METHOD_POST] = {handle_lock_acquire, ACCESS_ACTOR, SMALL_BYTES_MAX, "acquireLock"},
      [METHOD_PUT] = {handle_lock_renew, ACCESS_ACTOR, SMALL_BYTES_MAX, "renewLock"},
      [METHOD_DELETE] = {handle_lock_release, ACCESS_ACTOR, NO_BODY, "releaseLock"}}},
    {"/v1/{space}/types",
     {[METHOD_GET] = {handle_type_list, ACCESS_ACTOR, NO_BODY, "listTypes"},
      [METHOD_PUT] = {handle_types_apply, ACCESS_ADMIN, TRANSACTION_BYTES_MAX, "applyTypes"}}},
    {"/v1/{space}/types/{type}",
     {[METHOD_GET] = {handle_type_get, ACCESS_ACTOR, NO_BODY, "getType"},
      [METHOD_PUT] = {handle_type_put, ACCESS_ADMIN, ENVELOPE_BYTES_MAX, "putType"},
      [METHOD_DELETE] = {handle_type_delete, ACCESS_ADMIN, SMALL_BYTES_MAX, "deleteType"}}},
    {"/v1/{space}/calendar/{type}",
     {[METHOD_GET] = {handle_calendar_get, ACCESS_ACTOR, NO_BODY, "getCalendar"},
      [METHOD_POST] = {handle_calendar_import, ACCESS_ACTOR, CALENDAR_TEXT_BYTES_MAX,
                       "importCalendar"}}},
    {"/v1/{space}/calendar/{type}/free",
     {[METHOD_GET] = {handle_calendar_free, ACCESS_ACTOR, NO_BODY, "getCalendarFree"}}},
    {"/v1/{space}/calendar/{type}/{id}/series",
     {[METHOD_POST] = {handle_series, ACCESS_ACTOR, ENVELOPE_BYTES_MAX, "changeSeries"}}},
    {"/v1/{space}/free/{type}",
     {[METHOD_GET] = {handle_calendar_free, ACCESS_ACTOR, NO_BODY, "getFree"}}},
    {"/v1/{space}/transactions",
     {[METHOD_POST] = {handle_transaction, ACCESS_ACTOR, TRANSACTION_BYTES_MAX,
                       "commitTransaction"}}},
    {"/v1/{space}/mutations/{key}",
     {[METHOD_GET] = {handle_receipt, ACCESS_ACTOR, NO_BODY, "getReceipt"}}},
    {"/v1/{space}/conflicts",
     {[METHOD_GET] = {handle_conflict_list, ACCESS_ACTOR, NO_BODY, "listConflicts"}}},
    {"/v1/{space}/conflicts/resolve",
     {[METHOD_POST] = {handle_conflict_resolve_many, ACCESS_ACTOR, BULK_BYTES_MAX,
                       "resolveConflicts"}}},
    {"/v1/{space}/conflicts/{id}",
     {[METHOD_GET] = {handle_conflict_get, ACCESS_ACTOR, NO_BODY, "getConflict"}}},
    {"/v1/{space}/conflicts/{id}/resolve",
     {[METHOD_POST] = {handle_conflict_resolve, ACCESS_ACTOR, ENVELOPE_BYTES_MAX,
                       "resolveConflict"}}},
    {"/v1/{space}/conflicts/{id}/reopen",
     {[METHOD_POST] = {handle_conflict_reopen, ACCESS_ACTOR, SMALL_BYTES_MAX, "reopenConflict"}}},
    {"/v1/{space}/inbox", {[METHOD_GET] = {handle_inbox_list, ACCESS_ACTOR, NO_BODY, "listInbox"}}},
    {"/v1/{space}/inbox/read",
     {[METHOD_POST] = {handle_inbox_read, ACCESS_ACTOR, READ_BYTES_MAX, "markInboxRead"}}},
    {"/v1/{space}/inbox/{id}",
     {[METHOD_DELETE] = {handle_inbox_dismiss, ACCESS_ACTOR, NO_BODY, "dismissNotice"}}},
    {"/v1/{space}/changes", {[METHOD_GET] = {handle_changes, ACCESS_FEED, NO_BODY, "getChanges"}}},
    {"/v1/{space}/telemetry",
     {[METHOD_POST] = {handle_telemetry, ACCESS_ACTOR, SMALL_BYTES_MAX, "reportTelemetry"}}},
    {"/v1/{space}/live", {[METHOD_GET] = {handle_live, ACCESS_FEED, NO_BODY, "connectLive"}}},
    {"/v1/{space}/changes/ticket",
     {[METHOD_POST] = {handle_ticket_create, ACCESS_ACTOR, NO_BODY, "createTicket"}}},
    {"/v1/{space}/session",
     {[METHOD_POST] = {handle_login, ACCESS_LOGIN, SMALL_BYTES_MAX, "logIn"},
      [METHOD_GET] = {handle_session_get, ACCESS_ASK, NO_BODY, "getSession"},
      [METHOD_DELETE] = {handle_logout, ACCESS_LEAVE, NO_BODY, "logOut"}}},
    {"/v1/{space}/session/link",
     {[METHOD_POST] = {handle_link_redeem, ACCESS_LOGIN, SMALL_BYTES_MAX, "redeemLink"}}},
    {"/v1/{space}/session/password",
     {[METHOD_POST] = {handle_password, ACCESS_PERSON, SMALL_BYTES_MAX, "changePassword"}}},
    {"/v1/{space}/sessions",
     {[METHOD_GET] = {handle_session_list, ACCESS_PERSON, NO_BODY, "listSessions"},
      [METHOD_DELETE] = {handle_session_end_all, ACCESS_PERSON, NO_BODY, "endSessions"}}},
    {"/v1/{space}/sessions/{id}",
     {[METHOD_PATCH] = {handle_session_rename, ACCESS_PERSON, SMALL_BYTES_MAX, "renameSession"},
      [METHOD_DELETE] = {handle_session_end, ACCESS_PERSON, NO_BODY, "endSession"}}},
    {"/v1/{space}/users",
     {[METHOD_GET] = {handle_user_list, ACCESS_ADMIN, NO_BODY, "listUsers"},
      [METHOD_POST] = {handle_user_create, ACCESS_ADMIN, SMALL_BYTES_MAX, "createUser"}}},
    {"/v1/{space}/users/{id}",
     {[METHOD_GET] = {handle_user_get, ACCESS_PERSON, NO_BODY, "getUser"},
      [METHOD_PATCH] = {handle_user_patch, ACCESS_PERSON, SMALL_BYTES_MAX, "patchUser"}}},
    {"/v1/{space}/users/{id}/password",
     {[METHOD_POST] = {handle_user_password, ACCESS_ADMIN, SMALL_BYTES_MAX, "setPassword"}}},
    {"/v1/{space}/links",
     {[METHOD_GET] = {handle_link_list, ACCESS_ADMIN, NO_BODY, "listLinks"},
      [METHOD_POST] = {handle_link_create, ACCESS_ADMIN, SMALL_BYTES_MAX, "createLink"}}},
    {"/v1/{space}/links/{id}",
     {[METHOD_DELETE] = {handle_link_revoke, ACCESS_ADMIN, NO_BODY, "revokeLink"}}},
    {"/v1/{space}/export",
     {[METHOD_GET] = {handle_export, ACCESS_ACTOR, NO_BODY, "exportRecords"}}},
    {"/v1/{space}/backup", {[METHOD_GET] = {handle_backup, ACCESS_ADMIN, NO_BODY, "backUpSpace"}}},
    {"/v1/{space}/import",
     {[METHOD_POST] = {handle_import, ACCESS_ACTOR, HTTP_IMPORT_BYTES_MAX, "importRecords"}}},
};

const unsigned route_count = sizeof routes / sizeof routes[0];
static_assert(sizeof routes / sizeof routes[0] <= ROUTES_MAX, "the metrics keep ROUTES_MAX rows");

static const char *const method_names[] = {"GET",    "POST", "PUT",     "PATCH",
                                           "DELETE", "HEAD", "OPTIONS", "OTHER"};

const char *method_name(enum method method) { return method_names[method]; }

enum method method_parse(stet_view text) {
    for (int i = 0; i < METHOD_OTHER; i++) {
        if (view_equal(text, view_of(method_names[i]))) return (enum method)i;
    }
    return METHOD_OTHER;
}

void route_allow(const struct route *route, char out[ROUTE_ALLOW_BYTES]) {
    size_t size = 0;
    for (int i = 0; i < METHOD_COUNT; i++) {
        if (route->calls[i].handle == NULL) continue;
        const char *words[] = {method_names[i], i == METHOD_GET ? "HEAD" : NULL};
        for (int j = 0; j < 2 && words[j] != NULL; j++) {
            size_t length = strlen(words[j]);
            memcpy(out + size, words[j], length);
            memcpy(out + size + length, ", ", 2);
            size += length + 2;
        }
    }
    memcpy(out + size, "OPTIONS", sizeof "OPTIONS");
}

static const struct {
    stet_view word;
    const char *field;
    enum capture capture;
    size_t bytes_max;
} capture_words[] = {
    {{"{space}", 7}, "space", CAPTURE_SPACE, SPACE_NAME_BYTES_MAX},
    {{"{type}", 6}, "type", CAPTURE_TYPE, TYPE_BYTES_MAX},
    {{"{id}", 4}, "id", CAPTURE_ID, ID_BYTES_MAX},
    {{"{key}", 5}, "key", CAPTURE_KEY, MUTATION_KEY_BYTES_MAX},
    {{"{token}", 7}, "token", CAPTURE_TOKEN, ID_BYTES_MAX},
    {{"{lane}", 6}, "lane", CAPTURE_LANE, LANE_BYTES_MAX},
    {{"{name}", 6}, "name", CAPTURE_NAME, TYPE_BYTES_MAX},
};

/* Splits at slashes. False when there are more pieces than any route has. */
static bool split(stet_view path, stet_view pieces[ROUTE_SEGMENTS_MAX], unsigned *count) {
    *count = 0;
    if (path.size == 0 || path.bytes[0] != '/') return false;
    const char *end = path.bytes + path.size;
    for (const char *at = path.bytes + 1; at <= end;) {
        const char *stop = memchr(at, '/', (size_t)(end - at));
        if (stop == NULL) stop = end;
        if (*count == ROUTE_SEGMENTS_MAX) return false;
        pieces[(*count)++] = view_make(at, (size_t)(stop - at));
        at = stop + 1;
    }
    return true;
}

static bool fits(const struct route *route, const stet_view *pieces, unsigned count) {
    const char *at = route->pattern;
    for (unsigned i = 0; i < count; i++) {
        if (*at++ != '/') return false;
        if (*at == '{') {
            if (pieces[i].size == 0) return false;
            at = strchr(at, '}') + 1;
        } else {
            if (strncmp(at, pieces[i].bytes, pieces[i].size) != 0) return false;
            at += pieces[i].size;
        }
    }
    return *at == '\0';
}

static stet_status capture(struct arena *arena, const struct route *route, const stet_view *pieces,
                           unsigned count, struct route_match *match, stet_error *err) {
    const char *at = route->pattern;
    for (unsigned i = 0; i < count; i++) {
        stet_view word = view_make(at + 1, strcspn(at + 1, "/"));
        at += 1 + word.size;
        for (size_t j = 0; j < sizeof capture_words / sizeof capture_words[0]; j++) {
            if (!view_equal(word, capture_words[j].word)) continue;
            const char *field = capture_words[j].field;
            stet_view *out = &match->captures[capture_words[j].capture];
            stet_status status = percent_decode(arena, pieces[i], false, field, out, err);
            if (status != STET_OK) return status;
            if (out->size > capture_words[j].bytes_max) {
                error_set(err, STET_BAD_REQUEST, "%s must have at most %zu bytes", field,
                          capture_words[j].bytes_max);
                error_field(err, field, capture_words[j].bytes_max);
                return STET_BAD_REQUEST;
            }
        }
    }
    return STET_OK;
}

stet_status route_find(struct arena *arena, stet_view path, struct route_match *match,
                       stet_error *err) {
    stet_view pieces[ROUTE_SEGMENTS_MAX];
    unsigned count;
    *match = (struct route_match){0};
    if (!split(path, pieces, &count)) return STET_OK;
    for (unsigned i = 0; i < route_count; i++) {
        if (!fits(&routes[i], pieces, count)) continue;
        match->route = &routes[i];
        return capture(arena, &routes[i], pieces, count, match, err);
    }
    return STET_OK;
}
