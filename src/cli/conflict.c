/*
 * A conflict document for people:
 *
 *   FIELD    BASE     NOW      YOURS      WHAT HAPPENED
 *   /status  "open"   "done"   "blocked"  both changed it; bob at 2026-03-01 12:00:00 in version 13
 *   /due     -        -        "Friday"   only you changed it
 *
 *   Nothing was written. To put yours on top of what is there now, …
 */
#include "base/view.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <string.h>

enum { VALUE_COLUMNS_MAX = 40 };

/* Long values are cut so that a row stays readable; --json has them whole. */
static stet_view short_value(struct arena *arena, const struct doc *doc, doc_node node) {
    stet_view value = answer_value(doc, node);
    if (terminal_columns(value) <= VALUE_COLUMNS_MAX) return value;
    size_t size = 0;
    for (size_t columns = 0; size < value.size; size++) {
        columns += ((unsigned char)value.bytes[size] & 0xc0) != 0x80;
        if (columns > VALUE_COLUMNS_MAX - 1) break;
    }
    stet_view cut = arena_format(arena, "%.*s…", (int)size, value.bytes);
    return cut.bytes != NULL ? cut : value;
}

static stet_view who_and_when(struct arena *arena, const struct doc *doc, doc_node field) {
    stet_view by = answer_text(arena, doc, field, "by");
    stet_view at = answer_time(arena, answer_text(arena, doc, field, "at"));
    uint64_t version = answer_u64(doc, field, "version");
    if (by.size == 0) return VIEW("");
    return arena_format(arena, "%.*s at %.*s in version %llu", VIEW_ARG(by), VIEW_ARG(at),
                        (unsigned long long)version);
}

static void field_add(struct table *table, struct arena *arena, const struct doc *doc,
                      doc_node field) {
    stet_view state = answer_text(arena, doc, field, "state");
    stet_view who = who_and_when(arena, doc, field);
    stet_view key = VIEW("");
    enum color color = COLOR_NONE;
    stet_view words = state;
    if (doc_key(arena, doc, field, &key) != STET_OK) table->failed = true;
    if (view_equal(state, VIEW("conflict"))) {
        words = arena_format(arena, "both changed it; %.*s", VIEW_ARG(who));
        color = COLOR_RED;
    } else if (view_equal(state, VIEW("clean_yours"))) {
        words = VIEW("only you changed it");
    } else if (view_equal(state, VIEW("clean_current"))) {
        words = arena_format(arena, "only changed by %.*s", VIEW_ARG(who));
    } else if (view_equal(state, VIEW("merged"))) {
        words = arena_format(arena, "both changed it: combined (%.*s)",
                             VIEW_ARG(answer_text(arena, doc, field, "rule")));
    } else if (view_equal(state, VIEW("same"))) {
        words = arena_format(arena, "both made the same change; %.*s", VIEW_ARG(who));
    }
    table_add(table, color, key.size > 0 ? key : VIEW("(whole record)"));
    table_add(table, COLOR_NONE, short_value(arena, doc, answer_member(doc, field, "base")));
    table_add(table, COLOR_NONE, short_value(arena, doc, answer_member(doc, field, "current")));
    table_add(table, COLOR_NONE, short_value(arena, doc, answer_member(doc, field, "yours")));
    table_add(table, color, words);
}

static bool has_value(const struct doc *doc, const char *key) {
    doc_node node = answer_member(doc, 0, key);
    return node != DOC_NONE && doc_kind(doc, node) != DOC_NULL;
}

void conflict_fields(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    struct table table;
    struct terminal whole = *terminal;
    whole.width = 0; /* The last column says who and when: wrapped is better than cut. */
    doc_node fields = answer_member(doc, 0, "fields");
    if (fields != DOC_NONE && doc_kind(doc, fields) == DOC_OBJECT && doc_count(doc, fields) > 0) {
        static const char *const titles[] = {"FIELD", "BASE", "NOW", "YOURS", "WHAT HAPPENED"};
        table_init(&table, arena, 5);
        for (size_t i = 0; i < 5; i++)
            table_add(&table, COLOR_DIM, view_of(titles[i]));
        for (doc_node field = doc_first(doc, fields); field != DOC_NONE;
             field = doc_next(doc, field)) {
            field_add(&table, arena, doc, field);
        }
        if (table_print(&table, &whole, "  ", NULL) == STET_OK) fputc('\n', terminal->stream);
    }
}

void conflict_report(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    stet_view by = answer_text(arena, doc, 0, "last_modified_by");
    stet_view at = answer_time(arena, answer_text(arena, doc, 0, "last_modified_at"));
    uint64_t current = answer_u64(doc, 0, "current_version");
    if (current == 0)
        return; /* Of a version alone, as when a conflict is opened again: the detail says it all. */
    fprintf(terminal->stream, "  made from version %llu; version %llu is current",
            (unsigned long long)answer_u64(doc, 0, "expected_version"),
            (unsigned long long)current);
    if (by.size > 0) {
        fputs(", by ", terminal->stream);
        terminal_text(terminal, COLOR_BOLD, by);
        fputs(" at ", terminal->stream);
        terminal_text(terminal, COLOR_NONE, at);
    }
    fputs("\n\n", terminal->stream);
    conflict_fields(terminal, arena, doc);
    if (!has_value(doc, "current")) {
        fprintf(
            terminal->stream,
            "  Nothing was written. To bring it back with your data, repeat with --base %llu.\n",
            (unsigned long long)current);
        return;
    }
    if (answer_u64(doc, 0, "expected_version") == current) {
        /* A "test" of the patch does not hold: no other base would help. */
        fputs("  Nothing was written.\n", terminal->stream);
        return;
    }
    fprintf(terminal->stream,
            "  Nothing was written. To go on from what is there now, repeat with --base %llu; to "
            "overwrite it, with\n"
            "  --on-conflict last_writer_wins, which the history will say.\n",
            (unsigned long long)current);
}
