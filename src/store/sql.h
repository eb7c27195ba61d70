/*
 * All SQL of the store in one place.
 *
 * The statements are written for every engine at once: parameters are $1, $2, … in the order in which they first appear
 * (which is how SQLite numbers such names, and how PostgreSQL counts), and NULL stands for what follows from other columns:
 *
 *   change.txn NULL = seq · change.base NULL = version - 1 · change.first NULL = seq · change.ordinal NULL = version
 *   change.prev, skip, parent_record NULL = 0 · head.ordinal NULL = version · head.flags NULL = live · head.parent NULL = 0
 *
 * Heads are written late (sqlite/late_heads.h): a record's row in `head` may be older than its latest change, or missing, but only where that
 * change is above clock.heads_seq. change.hash and change.parent_record are there so that a head follows from its change.
 *
 * `type` is the number of a name in the table `type`; `record` is a record's number, the seq of its first change. change.op holds enum store_op, plus SQL_OP_PRUNED once the data is gone.
 * batch_change, batch_record, batch_head and batch_key are the rows of the batch at hand: SQLite reads them through
 * sqlite/batch_table.c, PostgreSQL from arrays with unnest. A statement that writes them stops at the first row that does not
 * fit and leaves undoing to ROLLBACK; SQLite would else copy each page that it changes once more.
 * The schema text is SQLite's: what a table is clustered by is the one thing engines say differently.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

enum { SQL_FORMAT = 3, SQL_OP_PRUNED = 16, SQL_FLAG_DELETED = 1, SQL_FLAG_FORKED = 2 };

enum sql_statement {
    SQL_BEGIN_READ,
    SQL_BEGIN_WRITE,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_CLOCK_GET,
    SQL_CLOCK_SET,
    SQL_CLOCK_HEADS,
    SQL_KEYS_ROTATE,
    SQL_TYPE_ADD,
    SQL_TYPE_LIVE,
    SQL_TYPE_LIST,
    SQL_RECORDS_ADD,
    SQL_HEAD_GET,
    SQL_HEADS_PUT,
    SQL_SCAN,
    SQL_HEADS_ASTRAY,
    SQL_HEADS_DIFFER,
    SQL_CHANGES_ADD,
    SQL_CHANGE_GET,
    SQL_CHANGE_GET_BARE,
    SQL_LINK,
    SQL_CHANGE_HEAD,
    SQL_CHANGED,
    SQL_SINCE,
    SQL_KEYS_ADD_0,
    SQL_KEYS_ADD_1,
    SQL_KEY_GET_0,
    SQL_KEY_GET_1,
    SQL_KEY_MAX_0,
    SQL_KEY_MAX_1,
    SQL_KEY_CLEAR_0,
    SQL_KEY_CLEAR_1,
    SQL_CHANGE_PRUNE,
    SQL_CHANGE_ERASE,
    SQL_TYPE_FLOOR,
    SQL_HEAD_OF,
    SQL_SINCE_BARE,
    SQL_ENTRY_ADD,
    SQL_ENTRY_REMOVE,
    SQL_ENTRY_SCAN,
    SQL_ENTRY_SCAN_BACK,
    SQL_ENTRY_COUNT,
    SQL_ENTRY_INDEX,
    SQL_ENTRY_DROP,
    SQL_META_GET,
    SQL_META_SET,
    SQL_STATEMENTS,
};

extern const char *const sql_text[SQL_STATEMENTS];

/* The schema of SQL_FORMAT, and sql_migrations[n]: from format n to n + 1. Each is a run of statements. */
extern const char *const sql_schema;
extern const char *const sql_migrations[SQL_FORMAT];

#endif
