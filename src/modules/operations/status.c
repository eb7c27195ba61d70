#include "modules/operations/status.h"

#include <assert.h>

#include "base/view.h"

/* Rows: from; columns: the event. What is left out is OPERATION_NONE: no such move. */
static const unsigned char moves[OPERATION_STATUS_COUNT][OPERATION_EVENT_COUNT] = {
    [OPERATION_NONE] =
        {
            [OPERATION_EVENT_QUEUED] = OPERATION_QUEUED,
            /* Too deep below its parents: kept, so that there is a record of where a cycle ended. */
            [OPERATION_EVENT_REJECTED] = OPERATION_REJECTED,
        },
    [OPERATION_QUEUED] =
        {
            [OPERATION_EVENT_STARTED] = OPERATION_RUNNING,
            /* What it depends on cannot be completed any more, or its function is gone. */
            [OPERATION_EVENT_FAILED] = OPERATION_FAILED,
            [OPERATION_EVENT_REJECTED] = OPERATION_REJECTED,
            [OPERATION_EVENT_CANCELLED] = OPERATION_CANCELLED,
            [OPERATION_EVENT_EXPIRED] = OPERATION_EXPIRED,
        },
    [OPERATION_RUNNING] =
        {
            [OPERATION_EVENT_QUEUED] = OPERATION_QUEUED,
            [OPERATION_EVENT_PROGRESS] = OPERATION_RUNNING,
            [OPERATION_EVENT_CONFLICT] = OPERATION_RETRYING,
            [OPERATION_EVENT_RETRYING] = OPERATION_RETRYING,
            [OPERATION_EVENT_REJECTED] = OPERATION_REJECTED,
            [OPERATION_EVENT_COMPLETED] = OPERATION_COMPLETED,
            [OPERATION_EVENT_FAILED] = OPERATION_FAILED,
            [OPERATION_EVENT_CANCELLED] = OPERATION_CANCELLED,
            [OPERATION_EVENT_EXPIRED] = OPERATION_EXPIRED,
        },
    /* An agent keeps what conflicted and may commit again without another word. */
    [OPERATION_RETRYING] =
        {
            [OPERATION_EVENT_QUEUED] = OPERATION_QUEUED,
            [OPERATION_EVENT_STARTED] = OPERATION_RUNNING,
            [OPERATION_EVENT_PROGRESS] = OPERATION_RUNNING,
            [OPERATION_EVENT_CONFLICT] = OPERATION_RETRYING,
            [OPERATION_EVENT_RETRYING] = OPERATION_RETRYING,
            [OPERATION_EVENT_REJECTED] = OPERATION_REJECTED,
            [OPERATION_EVENT_COMPLETED] = OPERATION_COMPLETED,
            [OPERATION_EVENT_FAILED] = OPERATION_FAILED,
            [OPERATION_EVENT_CANCELLED] = OPERATION_CANCELLED,
            [OPERATION_EVENT_EXPIRED] = OPERATION_EXPIRED,
        },
    [OPERATION_COMPLETED] = {[OPERATION_EVENT_REDELIVERED] = OPERATION_QUEUED},
    [OPERATION_FAILED] = {[OPERATION_EVENT_QUEUED] = OPERATION_QUEUED},
    [OPERATION_REJECTED] = {[OPERATION_EVENT_QUEUED] = OPERATION_QUEUED},
    [OPERATION_CANCELLED] = {[OPERATION_EVENT_QUEUED] = OPERATION_QUEUED},
    [OPERATION_EXPIRED] = {[OPERATION_EVENT_QUEUED] = OPERATION_QUEUED},
};

static const char *const names[OPERATION_STATUS_COUNT] = {
    [OPERATION_NONE] = "",
    [OPERATION_QUEUED] = "queued",
    [OPERATION_RUNNING] = "running",
    [OPERATION_RETRYING] = "retrying",
    [OPERATION_COMPLETED] = "completed",
    [OPERATION_FAILED] = "failed",
    [OPERATION_REJECTED] = "rejected",
    [OPERATION_CANCELLED] = "cancelled",
    [OPERATION_EXPIRED] = "expired",
};

static const char *const event_names[OPERATION_EVENT_COUNT] = {
    [OPERATION_EVENT_QUEUED] = "OperationQueued",
    [OPERATION_EVENT_STARTED] = "OperationStarted",
    [OPERATION_EVENT_PROGRESS] = "OperationProgress",
    [OPERATION_EVENT_CONFLICT] = "OperationConflict",
    [OPERATION_EVENT_RETRYING] = "OperationRetrying",
    [OPERATION_EVENT_REJECTED] = "OperationRejected",
    [OPERATION_EVENT_COMPLETED] = "OperationCompleted",
    [OPERATION_EVENT_FAILED] = "OperationFailed",
    [OPERATION_EVENT_CANCELLED] = "OperationCancelled",
    [OPERATION_EVENT_EXPIRED] = "OperationExpired",
    [OPERATION_EVENT_REDELIVERED] = "OperationQueued",
};

enum operation_status status_after(enum operation_status from, enum operation_event event) {
    assert(from < OPERATION_STATUS_COUNT);
    assert(event < OPERATION_EVENT_COUNT);
    return (enum operation_status)moves[from][event];
}

bool status_move_allowed(enum operation_status from, enum operation_status to) {
    if (to == OPERATION_NONE) return false;
    for (unsigned event = 0; event < OPERATION_EVENT_COUNT; event++)
        if (status_after(from, (enum operation_event)event) == to) return true;
    return false;
}

bool status_finished(enum operation_status status) {
    switch (status) {
    case OPERATION_COMPLETED:
    case OPERATION_FAILED:
    case OPERATION_REJECTED:
    case OPERATION_CANCELLED:
    case OPERATION_EXPIRED: return true;
    case OPERATION_NONE:
    case OPERATION_QUEUED:
    case OPERATION_RUNNING:
    case OPERATION_RETRYING:
    case OPERATION_STATUS_COUNT: return false;
    }
    return false;
}

const char *status_name(enum operation_status status) {
    return (unsigned)status < OPERATION_STATUS_COUNT ? names[status] : "";
}

enum operation_status status_parse(stet_view name) {
    for (unsigned i = OPERATION_NONE + 1; i < OPERATION_STATUS_COUNT; i++)
        if (view_equal(name, view_of(names[i]))) return (enum operation_status)i;
    return OPERATION_NONE;
}

const char *status_event_name(enum operation_event event) {
    return (unsigned)event < OPERATION_EVENT_COUNT ? event_names[event] : "";
}
