#include "doc/tree.h"

#include "doc/item.h"
#include "doc/pointer.h"
#include "doc/splice.h"
#include "doc/text.h"
#include "doc/write.h"

enum {
    MEMBERS_PER_STEP = 2,  /* Moving a member aside is cheaper than looking at it. */
    STEPS_PER_MEMBER = 32, /* Making one is dearer: memory is bounded through the steps. */
};

struct tree tree_span(const struct doc *doc, doc_node node) {
    return (struct tree){.kind = TREE_SPAN, .doc = doc, .node = node};
}

static bool is_object(const struct tree *tree) {
    return tree->kind == TREE_OBJECT ||
           (tree->kind == TREE_SPAN && doc_kind(tree->doc, tree->node) == DOC_OBJECT);
}

static bool is_array(const struct tree *tree) {
    return tree->kind == TREE_ARRAY ||
           (tree->kind == TREE_SPAN && doc_kind(tree->doc, tree->node) == DOC_ARRAY);
}

/* ---- Looking ---- */

/* The place of the member a token names, or count. */
static uint32_t member_place(struct tree_work *work, const struct tree *tree, stet_view token) {
    uint32_t place = 0;
    bool plain = memchr(token.bytes, '~', token.size) == NULL;
    while (place < tree->count) {
        const struct tree_member *member = &tree->members[place];
        if (plain && !member->key_escaped
                ? view_equal(member->key, token)
                : text_equal_token(member->key, member->key_escaped, token)) {
            break;
        }
        place++;
    }
    work->steps += place + 1;
    return place;
}

/* One step down, for reading. */
static enum tree_outcome child_find(struct tree_work *work, const struct tree *tree,
                                    stet_view token, struct tree *out) {
    uint32_t index;
    if (tree->kind == TREE_SPAN) {
        doc_node node = DOC_NONE;
        work->steps++;
        if (is_object(tree)) {
            node = pointer_member(tree->doc, tree->node, token);
        } else if (is_array(tree) && pointer_index(token, &index)) {
            if (doc_height(tree->doc, tree->node) > 1) {
                uint32_t count = doc_count(tree->doc, tree->node);
                work->steps += index < count ? index : 0;
            }
            node = doc_element(tree->doc, tree->node, index);
        }
        if (node == DOC_NONE) return is_array(tree) ? TREE_INDEX : TREE_ABSENT;
        *out = tree_span(tree->doc, node);
        return TREE_DONE;
    }
    if (tree->kind == TREE_OBJECT) {
        uint32_t place = member_place(work, tree, token);
        if (place == tree->count) return TREE_ABSENT;
        *out = tree->members[place].value;
        return TREE_DONE;
    }
    if (!pointer_index(token, &index) || index >= tree->count) return TREE_INDEX;
    *out = tree->members[index].value;
    return TREE_DONE;
}

enum tree_outcome tree_find(struct tree_work *work, const struct tree *root, stet_view pointer,
                            struct tree *out) {
    struct tree tree = *root;
    stet_view token;
    while (pointer_next(&pointer, &token)) {
        enum tree_outcome outcome = child_find(work, &tree, token, &tree);
        if (outcome != TREE_DONE) return outcome;
        if (work->steps > work->steps_max) return TREE_STEPS;
    }
    *out = tree;
    return TREE_DONE;
}

uint32_t tree_height(struct tree_work *work, const struct tree *tree) {
    if (tree->kind == TREE_SPAN) return doc_height(tree->doc, tree->node);
    uint32_t height = 0;
    for (uint32_t i = 0; i < tree->count; i++) {
        uint32_t child = tree_height(work, &tree->members[i].value);
        if (child > height) height = child;
    }
    work->steps += tree->count;
    return height + 1;
}

size_t tree_bytes(struct tree_work *work, const struct tree *tree) {
    if (tree->kind == TREE_SPAN) return doc_text(tree->doc, tree->node).size;
    size_t bytes = 2;
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct tree_member *member = &tree->members[i];
        bytes += member->key.size + 4 + tree_bytes(work, &member->value);
    }
    work->steps += tree->count;
    return bytes;
}

bool tree_equal(struct tree_work *work, const struct tree *tree, const struct doc *doc,
                doc_node node) {
    if (tree->kind == TREE_SPAN) {
        work->steps += doc_weight(doc, node);
        return doc_equal(tree->doc, tree->node, doc, node);
    }
    work->steps += tree->count;
    if (doc_kind(doc, node) != (tree->kind == TREE_OBJECT ? DOC_OBJECT : DOC_ARRAY)) return false;
    if (doc_count(doc, node) != tree->count) return false;
    doc_node child = doc_first(doc, node);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct tree_member *member = &tree->members[i];
        doc_node other = child;
        if (tree->kind == TREE_OBJECT)
            other = member_find_near(doc, node, child, member->key, member->key_escaped);
        if (other == DOC_NONE || !tree_equal(work, &member->value, doc, other)) return false;
        child = doc_next(doc, other);
    }
    return true;
}

/* ---- Taking apart ---- */

static enum tree_outcome members_reserve(struct tree_work *work, struct tree *tree,
                                         uint32_t capacity) {
    if (capacity <= tree->capacity) return TREE_DONE;
    if (capacity < tree->count + tree->count / 2) capacity = tree->count + tree->count / 2;
    struct tree_member *members = arena_alloc(work->arena, (size_t)capacity * sizeof *members);
    if (members == NULL) return TREE_NO_MEMORY;
    if (tree->count > 0) memcpy(members, tree->members, tree->count * sizeof *members);
    tree->members = members;
    tree->capacity = capacity;
    return TREE_DONE;
}

/* Makes a container that is still a span into a list of spans, with room for one more. */
static enum tree_outcome tree_open(struct tree_work *work, struct tree *tree) {
    if (tree->kind != TREE_SPAN) return TREE_DONE;
    const struct doc *doc = tree->doc;
    uint32_t count = doc_count(doc, tree->node);
    work->steps += (uint64_t)count * STEPS_PER_MEMBER + 1;
    if (work->steps > work->steps_max) return TREE_STEPS;
    struct tree opened = {.kind = is_object(tree) ? TREE_OBJECT : TREE_ARRAY};
    enum tree_outcome outcome = members_reserve(work, &opened, count + 1);
    if (outcome != TREE_DONE) return outcome;
    for (doc_node child = doc_first(doc, tree->node); child != DOC_NONE;
         child = doc_next(doc, child)) {
        const struct doc_item *item = item_at(doc, child);
        opened.members[opened.count++] = (struct tree_member){
            .key = item_key(doc, item),
            .key_escaped = (item->flags & ITEM_KEY_ESCAPED) != 0,
            .value = tree_span(doc, child),
        };
    }
    *tree = opened;
    return TREE_DONE;
}

enum tree_outcome tree_copy(struct tree_work *work, const struct tree *tree, struct tree *out) {
    struct tree copy = *tree;
    if (tree->kind != TREE_SPAN) {
        copy.members = NULL;
        copy.count = 0;
        copy.capacity = 0;
        work->steps += (uint64_t)tree->count * STEPS_PER_MEMBER;
        if (work->steps > work->steps_max) return TREE_STEPS;
        enum tree_outcome outcome = members_reserve(work, &copy, tree->count + 1);
        if (outcome != TREE_DONE) return outcome;
        for (; copy.count < tree->count; copy.count++) {
            struct tree_member *member = &copy.members[copy.count];
            *member = tree->members[copy.count];
            outcome = tree_copy(work, &member->value, &member->value);
            if (outcome != TREE_DONE) return outcome;
        }
    }
    *out = copy;
    return TREE_DONE;
}

/* Opens everything on the way to the container of what the pointer names. The pointer is not "". */
static enum tree_outcome parent_open(struct tree_work *work, struct tree *root, stet_view pointer,
                                     struct tree **parent, stet_view *last) {
    struct tree *tree = root;
    stet_view token;
    bool more = pointer_next(&pointer, &token);
    assert(more);
    (void)more;
    while (pointer.size > 0) {
        /* Looked for before it is opened: a path that does not exist takes nothing apart. */
        struct tree found;
        enum tree_outcome outcome = child_find(work, tree, token, &found);
        if (outcome == TREE_DONE) outcome = tree_open(work, tree);
        if (outcome != TREE_DONE) return outcome == TREE_INDEX ? TREE_ABSENT : outcome;
        uint32_t place = 0;
        if (tree->kind == TREE_OBJECT) {
            place = member_place(work, tree, token);
        } else {
            pointer_index(token, &place);
        }
        tree = &tree->members[place].value;
        if (work->steps > work->steps_max) return TREE_STEPS;
        pointer_next(&pointer, &token);
    }
    if (!is_object(tree) && !is_array(tree)) return TREE_ABSENT;
    *parent = tree;
    *last = token;
    return tree_open(work, tree);
}

/* ---- Changing ---- */

static enum tree_outcome member_insert(struct tree_work *work, struct tree *tree, uint32_t place,
                                       struct tree_member member) {
    if (tree->count == tree->capacity) {
        enum tree_outcome outcome = members_reserve(work, tree, tree->count + 1);
        if (outcome != TREE_DONE) return outcome;
        work->steps += tree->count / MEMBERS_PER_STEP;
    }
    uint32_t behind = tree->count - place;
    memmove(tree->members + place + 1, tree->members + place, behind * sizeof *tree->members);
    tree->members[place] = member;
    tree->count++;
    work->steps += 1 + behind / MEMBERS_PER_STEP;
    return TREE_DONE;
}

/* A pointer's token as the raw text of a JSON key. */
static enum tree_outcome token_key(struct tree_work *work, stet_view token,
                                   struct tree_member *member) {
    stet_view key;
    if (pointer_decode(work->arena, token, &key) != STET_OK) return TREE_NO_MEMORY;
    struct buffer buffer;
    buffer_init(&buffer, work->arena, 0);
    json_string_body(&buffer, key);
    if (buffer_status(&buffer) != STET_OK) return TREE_NO_MEMORY;
    member->key = buffer_view(&buffer);
    member->key_escaped = member->key.size != key.size;
    return TREE_DONE;
}

enum tree_outcome tree_add(struct tree_work *work, struct tree *root, stet_view pointer,
                           struct tree value) {
    if (pointer.size == 0) {
        *root = value;
        return TREE_DONE;
    }
    struct tree *parent;
    stet_view token;
    enum tree_outcome outcome = parent_open(work, root, pointer, &parent, &token);
    if (outcome != TREE_DONE) return outcome;
    struct tree_member member = {.value = value};
    uint32_t place;
    if (parent->kind == TREE_ARRAY) {
        place = parent->count;
        if (!view_equal(token, VIEW("-")) &&
            (!pointer_index(token, &place) || place > parent->count))
            return TREE_INDEX;
        return member_insert(work, parent, place, member);
    }
    place = member_place(work, parent, token);
    if (place < parent->count) {
        parent->members[place].value = value;
        return TREE_DONE;
    }
    outcome = token_key(work, token, &member);
    if (outcome != TREE_DONE) return outcome;
    return member_insert(work, parent, place, member);
}

/* The place of an existing child of an opened container. */
static enum tree_outcome child_place(struct tree_work *work, const struct tree *parent,
                                     stet_view token, uint32_t *place) {
    if (parent->kind == TREE_ARRAY) {
        return pointer_index(token, place) && *place < parent->count ? TREE_DONE : TREE_INDEX;
    }
    *place = member_place(work, parent, token);
    return *place < parent->count ? TREE_DONE : TREE_ABSENT;
}

enum tree_outcome tree_replace(struct tree_work *work, struct tree *root, stet_view pointer,
                               struct tree value) {
    if (pointer.size == 0) {
        *root = value;
        return TREE_DONE;
    }
    struct tree *parent;
    stet_view token;
    uint32_t place;
    enum tree_outcome outcome = parent_open(work, root, pointer, &parent, &token);
    if (outcome == TREE_DONE) outcome = child_place(work, parent, token, &place);
    if (outcome == TREE_DONE) parent->members[place].value = value;
    return outcome;
}

enum tree_outcome tree_remove(struct tree_work *work, struct tree *root, stet_view pointer,
                              struct tree *removed) {
    struct tree *parent;
    stet_view token;
    uint32_t place;
    enum tree_outcome outcome = parent_open(work, root, pointer, &parent, &token);
    if (outcome == TREE_DONE) outcome = child_place(work, parent, token, &place);
    if (outcome != TREE_DONE) return outcome;
    *removed = parent->members[place].value;
    uint32_t behind = parent->count - place - 1;
    memmove(parent->members + place, parent->members + place + 1, behind * sizeof *parent->members);
    parent->count--;
    work->steps += 1 + behind / MEMBERS_PER_STEP;
    return TREE_DONE;
}

/* ---- Writing ---- */

/* Whether the member still stands as its document has it, key included: then it may be part of a longer span. */
static bool is_untouched(const struct tree *tree, const struct tree_member *member) {
    if (member->value.kind != TREE_SPAN) return false;
    if (tree->kind == TREE_ARRAY) return true;
    const struct doc *doc = member->value.doc;
    return doc_key_raw(doc, member->value.node).bytes == member->key.bytes;
}

void tree_write(const struct tree *tree, struct buffer *out) {
    if (tree->kind == TREE_SPAN) {
        buffer_append_view(out, doc_text(tree->doc, tree->node));
        return;
    }
    struct splice splice;
    splice_begin(&splice, out, tree->kind == TREE_OBJECT);
    for (uint32_t i = 0; i < tree->count; i++) {
        const struct tree_member *member = &tree->members[i];
        if (is_untouched(tree, member)) {
            splice_keep(&splice, member->value.doc, member->value.node);
        } else {
            splice_value(&splice, member->key);
            tree_write(&member->value, out);
        }
    }
    splice_end(&splice);
}
