#include "modules/operations/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
/* cmocka wants the four above first. */
#include <cmocka.h>

#include "base/view.h"

/* The table once more, as a picture: a row for each status, a column for each status it can become (. never), in the enum's order, and in
 * each cell the letters of the events that lead there. */
static const char *const picture[OPERATION_STATUS_COUNT] = {
    /*             none queued running retrying completed failed rejected cancelled expired */
    [OPERATION_NONE] = ". Q . . . . J . .",      [OPERATION_QUEUED] = ". . S . . F J X E",
    [OPERATION_RUNNING] = ". Q P CR D F J X E",  [OPERATION_RETRYING] = ". Q SP CR D F J X E",
    [OPERATION_COMPLETED] = ". A . . . . . . .", [OPERATION_FAILED] = ". Q . . . . . . .",
    [OPERATION_REJECTED] = ". Q . . . . . . .",  [OPERATION_CANCELLED] = ". Q . . . . . . .",
    [OPERATION_EXPIRED] = ". Q . . . . . . .",
};
static const char letters[OPERATION_EVENT_COUNT + 1] = "QSPCRJDFXEA";

static void the_table_is_the_picture(void **state) {
    (void)state;
    for (unsigned from = 0; from < OPERATION_STATUS_COUNT; from++) {
        char row[64] = "";
        for (unsigned to = 0; to < OPERATION_STATUS_COUNT; to++) {
            char cell[OPERATION_EVENT_COUNT + 2] = "";
            for (unsigned event = 0; event < OPERATION_EVENT_COUNT; event++)
                if (to != OPERATION_NONE && status_after(from, event) == to)
                    strncat(cell, &letters[event], 1);
            assert_int_equal(status_move_allowed(from, to), cell[0] != '\0');
            if (cell[0] == '\0') strcpy(cell, ".");
            snprintf(row + strlen(row), sizeof row - strlen(row), "%s%s", to > 0 ? " " : "", cell);
        }
        assert_string_equal(row, picture[from]);
    }
}

static void what_is_finished_moves_only_to_queued(void **state) {
    (void)state;
    for (unsigned from = 1; from < OPERATION_STATUS_COUNT; from++)
        for (unsigned to = 1; to < OPERATION_STATUS_COUNT; to++)
            if (status_finished(from) && to != OPERATION_QUEUED)
                assert_false(status_move_allowed(from, to));
    for (unsigned event = 0; event < OPERATION_EVENT_COUNT; event++)
        assert_int_equal(status_after(OPERATION_COMPLETED, event),
                         event == OPERATION_EVENT_REDELIVERED ? OPERATION_QUEUED : OPERATION_NONE);
    assert_false(status_finished(OPERATION_RETRYING));
}

static void everything_open_can_be_cancelled_and_expires(void **state) {
    (void)state;
    for (unsigned from = OPERATION_QUEUED; from <= OPERATION_RETRYING; from++) {
        assert_int_equal(status_after(from, OPERATION_EVENT_CANCELLED), OPERATION_CANCELLED);
        assert_int_equal(status_after(from, OPERATION_EVENT_EXPIRED), OPERATION_EXPIRED);
    }
}

static void names_come_back(void **state) {
    (void)state;
    for (unsigned i = 1; i < OPERATION_STATUS_COUNT; i++)
        assert_int_equal(status_parse(view_of(status_name(i))), i);
    assert_int_equal(status_parse(VIEW("Queued")), OPERATION_NONE);
    assert_int_equal(status_parse(VIEW("")), OPERATION_NONE);
    assert_string_equal(status_name(OPERATION_STATUS_COUNT), "");
    for (unsigned i = 0; i < OPERATION_EVENT_COUNT; i++)
        assert_int_equal(strncmp(status_event_name(i), "Operation", strlen("Operation")), 0);
    assert_string_equal(status_event_name(OPERATION_EVENT_COUNT), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_the_picture),
        cmocka_unit_test(what_is_finished_moves_only_to_queued),
        cmocka_unit_test(everything_open_can_be_cancelled_and_expires),
        cmocka_unit_test(names_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
