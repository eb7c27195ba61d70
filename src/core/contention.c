#include "core/contention.h"

#include "base/limits.h"
#include "base/view.h"
#include "core/policy.h"

#include <stdio.h>
#include <stdlib.h>

enum { NAME_BYTES_MAX = CONTENTION_NAME_BYTES_MAX };

struct contention_table {
    struct contention_count entries[CONTENTION_LABELS_MAX];
    size_t count;
    uint64_t other;
};

void contention_init(struct contention *contention) {
    pthread_mutex_init(&contention->lock, NULL);
    contention->table = NULL;
}

void contention_done(struct contention *contention) {
    pthread_mutex_destroy(&contention->lock);
    free(contention->table);
}

/* Cut between characters. */
static void copy_name(char out[NAME_BYTES_MAX + 1], stet_view name) {
    size_t size = name.size < NAME_BYTES_MAX ? name.size : NAME_BYTES_MAX;
    while (size < name.size && size > 0 && ((unsigned char)name.bytes[size] & 0xC0) == 0x80)
        size--;
    if (size > 0) memcpy(out, name.bytes, size);
    out[size] = '\0';
}

/* A pointer whose tokens that are numbers became "*". */
static void copy_pointer(char out[NAME_BYTES_MAX + 1], stet_view pointer) {
    char plain[NAME_BYTES_MAX + 1];
    size_t size = 0;
    copy_name(plain, pointer);
    for (const char *at = plain; *at != '\0';) {
        size_t digits = 0;
        out[size++] = *at++;
        if (at[-1] != '/') continue;
        while (at[digits] >= '0' && at[digits] <= '9')
            digits++;
        if (digits == 0 || (at[digits] != '/' && at[digits] != '\0')) continue;
        out[size++] = '*';
        at += digits;
    }
    out[size] = '\0';
}

static struct contention_count *find(struct contention_table *table, const char *type,
                                     const char *field, stet_strategy strategy) {
    for (size_t i = 0; i < table->count; i++) {
        struct contention_count *entry = &table->entries[i];
        if (entry->strategy == strategy && strcmp(entry->type, type) == 0 &&
            strcmp(entry->field, field) == 0)
            return entry;
    }
    if (table->count == CONTENTION_LABELS_MAX) return NULL;
    struct contention_count *entry = &table->entries[table->count++];
    memcpy(entry->type, type, sizeof entry->type);
    memcpy(entry->field, field, sizeof entry->field);
    entry->strategy = strategy;
    entry->count = 0;
    return entry;
}

void contention_note(struct contention *contention, stet_view type, stet_view field,
                     stet_strategy strategy) {
    char type_name[NAME_BYTES_MAX + 1] = "", field_name[NAME_BYTES_MAX + 1] = "";
    copy_name(type_name, type);
    copy_pointer(field_name, field);
    pthread_mutex_lock(&contention->lock);
    if (contention->table == NULL) contention->table = calloc(1, sizeof *contention->table);
    /* Without memory for it the conflict is only missing here. */
    if (contention->table != NULL) {
        struct contention_count *entry = find(contention->table, type_name, field_name, strategy);
        uint64_t *count = entry == NULL ? &contention->table->other : &entry->count;
        (*count)++;
    }
    pthread_mutex_unlock(&contention->lock);
}

static void append_escaped(char *out, const char *name) {
    size_t size = 0;
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\') out[size++] = '\\';
        out[size++] = *name;
    }
    out[size] = '\0';
}

void contention_visit(struct contention *contention,
                      void (*visit)(void *context, const char *labels, uint64_t count),
                      void *context) {
    pthread_mutex_lock(&contention->lock);
    const struct contention_table *table = contention->table;
    for (size_t i = 0; table != NULL && i < table->count; i++) {
        const struct contention_count *entry = &table->entries[i];
        char type[2 * NAME_BYTES_MAX + 1], field[2 * NAME_BYTES_MAX + 1];
        char labels[CONTENTION_LABEL_BYTES_MAX];
        append_escaped(type, entry->type);
        append_escaped(field, entry->field);
        snprintf(labels, sizeof labels, ",type=\"%s\",field=\"%s\",strategy=\"%s\"", type, field,
                 strategy_name(entry->strategy == STET_STRATEGY_DEFAULT ? STET_STRATEGY_REJECT
                                                                        : entry->strategy));
        visit(context, labels, entry->count);
    }
    if (table != NULL && table->other > 0)
        visit(context, ",type=\"other\",field=\"other\",strategy=\"other\"", table->other);
    pthread_mutex_unlock(&contention->lock);
}

size_t contention_counts(struct contention *contention, struct contention_count *out,
                         uint64_t *other) {
    size_t count = 0;
    pthread_mutex_lock(&contention->lock);
    const struct contention_table *table = contention->table;
    *other = table == NULL ? 0 : table->other;
    for (; table != NULL && count < table->count; count++) {
        out[count] = table->entries[count];
        if (out[count].strategy == STET_STRATEGY_DEFAULT)
            out[count].strategy = STET_STRATEGY_REJECT;
    }
    pthread_mutex_unlock(&contention->lock);
    return count;
}
