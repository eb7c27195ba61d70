/*
 * A conflict document for people:
 *
 *   FIELD    BASE     NOW      YOURS      WHAT HAPPENED
 *   /status  "open"   "done"   "blocked"  both changed it; bob at 2026-03-01 12:00:00 in version 13
 *   /due     -        -        "Friday"   only you changed it
 *
 *   Nothing was written. To put yours on top of what is there now, …
 *
 * Where the terminal is too narrow for that, what happened stands below each row, and values are cut further.
 */
#include "base/buffer.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <string.h>

enum { VALUE_COLUMNS_MAX = 40, VALUE_COLUMNS_MIN = 8, SIDES_MAX = 4, DIFFERENCES_MAX = 200 };

/* Long values are cut so that a row stays readable; --json has them whole. */
static stet_view short_value(struct arena *arena, const struct doc *doc, doc_node node,
                             size_t columns_max) {
    stet_view value = answer_value(doc, node);
    if (terminal_columns(value) <= columns_max) return value;
    stet_view cut = arena_format(arena, "%.*s…", VIEW_ARG(terminal_cut(value, columns_max - 1)));
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

/* How a table of sides is laid out. */
struct layout {
    size_t value_columns;
    bool notes; /* What happened stands below the rows instead of in a column. */
};

static void field_add(struct table *table, const struct layout *layout, const struct doc *doc,
                      doc_node field) {
    static const char *const sides[] = {"base", "current", "yours"};
    struct arena *arena = table->arena;
    stet_view writer =
        answer_text(arena, doc, 0, "by"); /* Of one that waits: not who reads this. */
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
        words = writer.size == 0 ? VIEW("only you changed it")
                                 : arena_format(arena, "only %.*s changed it", VIEW_ARG(writer));
    } else if (view_equal(state, VIEW("clean_current"))) {
        words = arena_format(arena, "only changed by %.*s", VIEW_ARG(who));
    } else if (view_equal(state, VIEW("merged"))) {
        words = arena_format(arena, "both changed it: combined (%.*s)",
                             VIEW_ARG(answer_text(arena, doc, field, "rule")));
    } else if (view_equal(state, VIEW("same"))) {
        words = arena_format(arena, "both made the same change; %.*s", VIEW_ARG(who));
    }
    table_add(table, color, key.size > 0 ? key : VIEW("(whole record)"));
    for (size_t i = 0; i < 3; i++)
        table_add(
            table, layout->notes && i == 2 ? color : COLOR_NONE,
            short_value(arena, doc, answer_member(doc, field, sides[i]), layout->value_columns));
    if (layout->notes) {
        table_note(table, words);
    } else {
        table_add(table, color, words);
    }
}

static bool has_value(const struct doc *doc, const char *key) {
    doc_node node = answer_member(doc, 0, key);
    return node != DOC_NONE && doc_kind(doc, node) != DOC_NULL;
}

static void fields_fill(struct table *table, struct arena *arena, const struct doc *doc,
                        doc_node fields, const struct layout *layout) {
    static const char *const titles[] = {"FIELD", "BASE", "NOW", "YOURS", "WHAT HAPPENED"};
    table_init(table, arena, layout->notes ? 4 : 5);
    for (size_t i = 0; i < table->columns; i++)
        table_add(table, COLOR_DIM, view_of(titles[i]));
    for (doc_node field = doc_first(doc, fields); field != DOC_NONE; field = doc_next(doc, field))
        field_add(table, layout, doc, field);
}

/* One column for each side that the document has, a row for each member of the data that is not the same in all. */
struct sides {
    size_t count;
    doc_node nodes[SIDES_MAX];
    stet_view titles[SIDES_MAX];
};

static doc_node side_member(const struct doc *doc, doc_node side, const struct doc *keys,
                            doc_node key) {
    if (doc_kind(doc, side) != DOC_OBJECT) return DOC_NONE;
    return doc_member_like(doc, side, keys, key);
}

static bool differs(const struct doc *doc, const struct sides *sides, doc_node member) {
    doc_node first = side_member(doc, sides->nodes[0], doc, member);
    for (size_t i = 1; i < sides->count; i++) {
        doc_node other = side_member(doc, sides->nodes[i], doc, member);
        if ((first == DOC_NONE) != (other == DOC_NONE)) return true;
        if (first != DOC_NONE && !doc_equal(doc, first, doc, other)) return true;
    }
    return false;
}

/* "/stage", as the server writes a pointer (RFC 6901). */
static stet_view pointer_of(struct arena *arena, const struct doc *doc, doc_node member) {
    struct buffer out;
    stet_view key;
    if (doc_key(arena, doc, member, &key) != STET_OK) return (stet_view){0};
    buffer_init(&out, arena, 0);
    buffer_append_char(&out, '/');
    for (size_t i = 0; i < key.size; i++) {
        if (key.bytes[i] == '~' || key.bytes[i] == '/') {
            buffer_append_text(&out, key.bytes[i] == '~' ? "~0" : "~1");
        } else {
            buffer_append_char(&out, key.bytes[i]);
        }
    }
    return buffer_view(&out);
}

static void sides_row(struct table *table, const struct doc *doc, const struct sides *sides,
                      doc_node member, size_t value_columns) {
    table_add(table, COLOR_NONE, pointer_of(table->arena, doc, member));
    for (size_t i = 0; i < sides->count; i++)
        table_add(table, COLOR_NONE,
                  short_value(table->arena, doc, side_member(doc, sides->nodes[i], doc, member),
                              value_columns));
}

/* Returns how many rows there would be; past DIFFERENCES_MAX they are counted only. */
static size_t sides_fill(struct table *table, struct arena *arena, const struct doc *doc,
                         const struct sides *sides, size_t value_columns) {
    size_t rows = 0;
    table_init(table, arena, sides->count + 1);
    table_add(table, COLOR_DIM, VIEW("FIELD"));
    for (size_t i = 0; i < sides->count; i++)
        table_add(table, COLOR_DIM, sides->titles[i]);
    for (size_t i = 0; i < sides->count; i++) {
        if (doc_kind(doc, sides->nodes[i]) != DOC_OBJECT) continue;
        for (doc_node member = doc_first(doc, sides->nodes[i]); member != DOC_NONE;
             member = doc_next(doc, member)) {
            bool seen = false;
            for (size_t k = 0; k < i && !seen; k++)
                seen = side_member(doc, sides->nodes[k], doc, member) != DOC_NONE;
            if (seen || !differs(doc, sides, member)) continue;
            if (++rows <= DIFFERENCES_MAX) sides_row(table, doc, sides, member, value_columns);
        }
    }
    return rows;
}

/* Values get narrower until the table fits; no narrower than what still tells two of them apart. */
static void show_sides(struct terminal *terminal, struct arena *arena, const struct doc *doc,
                       const struct sides *sides) {
    struct table table;
    struct terminal whole = *terminal;
    size_t columns = VALUE_COLUMNS_MAX;
    size_t rows = sides_fill(&table, arena, doc, sides, columns);
    whole.width = 0;
    while (terminal->width > 0 && columns > VALUE_COLUMNS_MIN &&
           table_width(&table) + 2 > terminal->width)
        rows = sides_fill(&table, arena, doc, sides, columns -= 4);
    if (rows == 0) {
        fputs("  no difference\n", terminal->stream);
        return;
    }
    table_print(&table, &whole, "  ", NULL);
    if (rows > DIFFERENCES_MAX)
        fprintf(terminal->stream, "  and %zu more; --json has all of them\n",
                rows - DIFFERENCES_MAX);
}

static void side_add(struct sides *sides, const struct doc *doc, const char *member,
                     const char *title) {
    doc_node node = answer_member(doc, 0, member);
    if (node == DOC_NONE) return;
    sides->nodes[sides->count] = node;
    sides->titles[sides->count++] = view_of(title);
}

static bool show_fields(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    struct table table;
    struct terminal whole = *terminal;
    struct layout layout = {.value_columns = VALUE_COLUMNS_MAX};
    doc_node fields = answer_member(doc, 0, "fields");
    if (fields == DOC_NONE || doc_kind(doc, fields) != DOC_OBJECT || doc_count(doc, fields) == 0)
        return false;
    whole.width =
        0; /* The last column is as important as the others: wrapped is better than cut. */
    fields_fill(&table, arena, doc, fields, &layout);
    while (terminal->width > 0 && layout.value_columns > VALUE_COLUMNS_MIN &&
           table_width(&table) + 2 > terminal->width) {
        layout.value_columns = layout.notes ? layout.value_columns - 4 : VALUE_COLUMNS_MAX;
        layout.notes = true;
        fields_fill(&table, arena, doc, fields, &layout);
    }
    return table_print(&table, &whole, "  ", NULL) == STET_OK;
}

/* "made from version 1; version 2 is current, by ann at 2026-03-01 12:00:00" */
static void say_versions(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    stet_view by = answer_text(arena, doc, 0, "last_modified_by");
    stet_view at = answer_time(arena, answer_text(arena, doc, 0, "last_modified_at"));
    fprintf(terminal->stream, "made from version %llu; version %llu is current",
            (unsigned long long)answer_u64(doc, 0, "expected_version"),
            (unsigned long long)answer_u64(doc, 0, "current_version"));
    if (by.size > 0) {
        fputs(", by ", terminal->stream);
        terminal_text(terminal, COLOR_BOLD, by);
        fputs(" at ", terminal->stream);
        terminal_text(terminal, COLOR_NONE, at);
    }
    fputc('\n', terminal->stream);
}

static void show_open(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    stet_view deadline = answer_time(arena, answer_text(arena, doc, 0, "deadline"));
    struct sides sides = {0};
    fputs(" until ", terminal->stream);
    terminal_text(terminal, COLOR_NONE, deadline);
    fputs(", then ", terminal->stream);
    terminal_text(terminal, COLOR_NONE, answer_text(arena, doc, 0, "fallback"));
    fputs("\nyours: what ", terminal->stream);
    terminal_text(terminal, COLOR_BOLD, answer_text(arena, doc, 0, "by"));
    fputs(answer_bool(doc, 0, "deletes") ? " wanted, to delete it, " : " wanted, ",
          terminal->stream);
    say_versions(terminal, arena, doc);
    if (show_fields(terminal, arena, doc)) return;
    side_add(&sides, doc, "base", "BASE");
    side_add(&sides, doc, "current", "NOW");
    side_add(&sides, doc, "yours", "YOURS");
    if (sides.count > 0) show_sides(terminal, arena, doc, &sides);
}

static void show_closed(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    stet_view choice = answer_text(arena, doc, 0, "choice");
    stet_view by = answer_text(arena, doc, 0, "resolved_by");
    stet_view explanation = answer_text(arena, doc, 0, "explanation");
    struct sides sides = {0};
    if (by.size == 0) by = answer_text(arena, doc, 0, "overwritten_by");
    if (by.size > 0) {
        fputs(" by ", terminal->stream);
        terminal_text(terminal, COLOR_BOLD, by);
    }
    if (choice.size > 0) {
        fputs(": ", terminal->stream);
        terminal_text(terminal, COLOR_NONE, choice);
    }
    fputs("\nyours: what ", terminal->stream);
    terminal_text(terminal, COLOR_BOLD, answer_text(arena, doc, 0, "by"));
    fputs(answer_bool(doc, 0, "deletes") ? " wanted, to delete it\n" : " wanted\n",
          terminal->stream);
    if (explanation.size > 0) {
        terminal_text(terminal, COLOR_NONE, explanation);
        fputc('\n', terminal->stream);
    }
    side_add(&sides, doc, "base", "BASE");
    side_add(&sides, doc, "current", "BEFORE");
    side_add(&sides, doc, "yours", "YOURS");
    side_add(&sides, doc, "result", "RESULT");
    if (sides.count > 0) show_sides(terminal, arena, doc, &sides);
}

void conflict_show(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    stet_view state = answer_text(arena, doc, 0, "state");
    bool open = view_equal(state, VIEW("open"));
    terminal_text(terminal, COLOR_BOLD, answer_text(arena, doc, 0, "address"));
    fputs("  ", terminal->stream);
    terminal_text(terminal, open ? COLOR_YELLOW : COLOR_GREEN, state);
    if (open) {
        show_open(terminal, arena, doc);
    } else {
        show_closed(terminal, arena, doc);
    }
}

void conflict_report(struct terminal *terminal, struct arena *arena, const struct doc *doc) {
    uint64_t current = answer_u64(doc, 0, "current_version");
    stet_view waiting = answer_text(arena, doc, 0, "conflict_id");
    if (current == 0)
        return; /* Of a version alone, as when a conflict is opened again: the detail says it all. */
    fputs("  ", terminal->stream);
    say_versions(terminal, arena, doc);
    fputc('\n', terminal->stream);
    if (show_fields(terminal, arena, doc)) fputc('\n', terminal->stream);
    if (waiting.size > 0) {
        fputs("  Nothing was written. It still waits: stet conflicts resolve ", terminal->stream);
        terminal_text(terminal, COLOR_NONE, waiting);
        fputc('\n', terminal->stream);
        return;
    }
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
