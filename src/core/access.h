/*
 * Access rules: who may see and change which records of a type, compiled from the member "access" of its definition (docs/access.md
 * tells people), and the one way by which anything is shown to an actor.
 *
 *     "access": {"read": RULE, "create": RULE, "update": RULE, "delete": RULE,
 *                "fields": {"/salary": {"hidden": RULE}, "/owner": {"readonly": RULE}}}
 *
 * A RULE is true, false or an expression (src/expr/README.md) with actor.id, actor.roles, old.* and new.*. What is not mentioned is false,
 * so a role that no rule names has no rights. In read and delete, and for hidden, a plain field is the record's; in create the new
 * record's; an update must be allowed for the record as it was and again for what it is to become, with old and new the same both times.
 *
 * A type without "access" is for those who have the role "member". Administrators pass everywhere; a change that they could not have made
 * otherwise says so in its origin ("bypass").
 *
 * Who may not read a record meets it nowhere: for reads, and for writes that need it to be there, it does not exist; only a creation in its
 * place is STET_FORBIDDEN. A version is shown to those who may read both it and the record as it is now. A field hidden from an actor is
 * in nothing they are shown, counts as absent in what they ask (where), cannot be sorted by, and stays as it is when they replace the
 * record. Readonly: they may not give it another value, nor any when they create the record.
 *
 * A rule that cannot be judged (memory is out, damaged data) denies, and the engine's report says so.
 *
 * Threads: rules are immutable; a viewer is its thread's.
 */
#ifndef CORE_ACCESS_H
#define CORE_ACCESS_H

#include "core/actor.h"
#include "core/policy.h"
#include "core/space.h"
#include "expr/expr.h"

struct access_rules;
struct created;      /* core/client.h */
struct stet_command; /* core/command.h */

enum access_verb { ACCESS_READ, ACCESS_CREATE, ACCESS_UPDATE, ACCESS_DELETE };

/*
 * Compiles the member "access" of a definition (DOC_NONE: *rules is NULL). arena: where they go. STET_INVALID_TYPE, STET_TOO_LARGE: err->field is the pointer in the definition.
 */
stet_status access_compile(struct arena *arena, const struct doc *definition, doc_node access,
                           const struct access_rules **rules, stet_error *err);

/*
 * Whether an actor may do this to a record. before: the data it has, after: what it is to have; NULL where there is none (read and
 * delete look at before, create at after). Metadata in rules are those of before, else of after.
 *
 * @return STET_OK; STET_FORBIDDEN: err->field names the field that is readonly, if that is why; STET_NOT_FOUND: they may not even
 *         read it; STET_NO_MEMORY, …: it could not be judged, and is denied.
 */
struct access_record {
    /* For metadata. NULL for what is not stored yet: then $created_by and $updated_by are the actor, the rest is null. */
    const struct store_change *change;
    const struct doc *data;
    /* When and by whom the record was created, where the caller knows; else it is looked up in the space when a rule asks. */
    const struct created *created;
    struct space *space; /* NULL: an unknown creation is null. */
};
stet_status access_check(const struct policy *policy, const stet_actor *actor,
                         enum access_verb verb, const struct access_record *before,
                         const struct access_record *after, stet_error *err);

/* Whether rules bind the actor at all in this type: false for administrators, and where all rules are met by roles alone and nothing is
   hidden or readonly. The quick way out for who would have to parse data. verb: for what. */
bool access_binds(const struct policy *policy, const stet_actor *actor, enum access_verb verb);
/* Whether the actor may do it to no record of the type whatever its data: so that a list need not begin. */
bool access_never(const struct policy *policy, const stet_actor *actor, enum access_verb verb);
/* Whether a field, or something in it, or something that holds it, may be hidden from the actor in some record. */
bool access_may_hide(const struct policy *policy, const stet_actor *actor, stet_view pointer);

/*
 * The data without what is hidden from the actor: the same text where nothing is. The other way round, access_restore puts what is hidden
 * in `from` into data that a person wrote without seeing it; STET_FORBIDDEN, with the field, where they gave it a value.
 */
stet_status access_redact(const struct policy *policy, const stet_actor *actor, struct arena *arena,
                          const struct access_record *record, stet_view *data, stet_error *err);
stet_status access_restore(const struct policy *policy, const stet_actor *actor,
                           struct arena *arena, const struct access_record *from, stet_view data,
                           stet_view *whole, stet_error *err);

/*
 * Who looks. Everything that becomes JSON for an actor goes through one (core/render.h): get, list, history, feed, conflicts, export,
 * trees, functions. NULL in its place: nobody in particular, who sees all; for what stays inside.
 */
struct viewer {
    struct space *space;
    const stet_actor *actor;
};

/* Who looks at what a submitted command answers. Borrows the command. */
struct viewer command_viewer(const struct stet_command *command);

/* Whether they may see this version by itself: the module's say for system types, the read rule for others. A tombstone is judged by
   the last data. What cannot be judged is not seen: also a version whose data is no longer kept, where the rule asks for it. */
bool viewer_sees(const struct viewer *viewer, const struct store_change *change);
/* Whether they may read every record of a type: then addresses and counts of them are no secrets. */
bool viewer_sees_all(const struct viewer *viewer, stet_view type);
/* What they may see of its data: of a system record without its module's own members ("_…"), of others without hidden fields. */
stet_status viewer_data(const struct viewer *viewer, struct arena *arena,
                        const struct store_change *change, stet_view *data);

/* Of a system record: a member whose name begins with "_" is its module's own, and nobody is shown it. */
static inline bool viewer_never_sees(stet_view raw) { return raw.size > 0 && raw.bytes[0] == '_'; }

/*
 * The same for many records of one type: what depends on the actor alone is settled when it begins.
 *
 *     sight_begin(&sight, &viewer, type); … sight_sees(&sight, …) … sight_end(&sight);
 */
struct sight {
    const struct viewer *viewer; /* NULL: sees all. */
    const struct policy *policy; /* Its reference. NULL also for system types. */
    bool system;
    enum expr_truth reads; /* The read rule; of a system type the module decides. */
    bool conflicts;        /* stet.conflict: they tell of other records. */
    bool hides;            /* Some field may be hidden. */
};
void sight_begin(struct sight *sight, const struct viewer *viewer, stet_view type);
void sight_end(struct sight *sight);

/* doc: the change's data, parsed; NULL: it is parsed when it is needed, into the arena. */
bool sight_sees(const struct sight *sight, struct arena *arena, const struct store_change *change,
                const struct doc *doc);
stet_status sight_data(const struct sight *sight, struct arena *arena,
                       const struct store_change *change, const struct doc *doc, stet_view *data,
                       stet_error *err);

/* The pointers of what is hidden in this version, for what is told of it beside its data. None where the sight hides nothing. */
stet_status sight_hidden(const struct sight *sight, struct arena *arena,
                         const struct store_change *change, const stet_view **pointers,
                         size_t *count, stet_error *err);
/* Whether a field is one of them, in one of them, or holds one of them. */
bool hidden_touches(const stet_view *pointers, size_t count, stet_view pointer);

/* Whether a field may be hidden in some record. */
bool sight_may_hide(const struct sight *sight, stet_view pointer);

/*
 * What a list may expect of the records its viewer may read, and of `also` (NULL: nothing) besides: for expr_bounds. *out NULL: the read rule
 * expects nothing. STET_OK, STET_NO_MEMORY.
 */
stet_status sight_bounds(const struct sight *sight, struct arena *arena, const struct expr *also,
                         const struct expr **out, stet_error *err);

#endif
