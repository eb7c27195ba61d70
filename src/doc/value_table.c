#include "doc/value_table.h"

#include "base/limits.h"

#include <assert.h>

stet_status value_table_init(struct value_table *table, struct arena *arena, size_t values_max) {
    uint32_t slots = 4;
    assert(values_max < UINT32_MAX / 4);
    while (slots < 2 * values_max)
        slots *= 2;
    *table = (struct value_table){
        .values = arena_alloc(arena, values_max * sizeof(struct table_value)),
        .capacity = (uint32_t)values_max,
        .slots = arena_zalloc(arena, slots, sizeof(struct table_slot)),
        .slot_mask = slots - 1,
    };
    return table->values == NULL || table->slots == NULL ? STET_NO_MEMORY : STET_OK;
}

bool value_table_add(struct value_table *table, const struct doc *doc, doc_node node,
                     uint32_t *index) {
    struct table_value value = {.doc = doc, .node = node, .hash = doc_hash(doc, node)};
    uint32_t tag = (uint32_t)value.hash;
    uint32_t slot = (uint32_t)(value.hash >> 32) & table->slot_mask;
    bool first = true;
    for (; table->slots[slot].index != 0; slot = (slot + 1) & table->slot_mask) {
        if (!first) table->steps++;
        first = false;
        if (table->slots[slot].tag == tag) {
            const struct table_value *other = &table->values[table->slots[slot].index - 1];
            if (other->hash == value.hash && doc_equal(doc, node, other->doc, other->node)) {
                *index = table->slots[slot].index - 1;
                return true;
            }
            table->steps += doc_weight(doc, node);
        }
        if (table->steps > MERGE_LIST_STEPS_MAX) return false;
    }
    assert(table->count < table->capacity);
    table->values[table->count] = value;
    *index = table->count++;
    table->slots[slot] = (struct table_slot){.tag = tag, .index = table->count};
    return true;
}
