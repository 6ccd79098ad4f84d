/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - shared by the tables: statements prepared once, bound by type, errors mapped
 *
 * A statement lives in a slot of its own and is taken out while it runs, so a callback may use the
 * same table again (the nested use prepares a second one).
 */
#pragma once

#include <sqlite3.h>

#include "base/ip.h"
#include "state/db.h"

enum slot {
	SLOT_BEGIN,
	SLOT_COMMIT,
	SLOT_ROLLBACK,
	SLOT_NETWORK_PUT,
	SLOT_NETWORK_DEL,
	SLOT_NETWORK_EACH,
	SLOT_ENDPOINT_PUT,
	SLOT_ENDPOINT_DEL,
	SLOT_ENDPOINT_EACH,
	SLOT_PORT_PUT,
	SLOT_PORT_DEL,
	SLOT_PORT_EACH,
	SLOT_SANDBOX_PUT,
	SLOT_SANDBOX_DEL,
	SLOT_SANDBOX_EACH,
	SLOT_CONTAINER_PUT,
	SLOT_CONTAINER_PUT_STATE,
	SLOT_CONTAINER_DEL,
	SLOT_CONTAINER_EACH,
	SLOT_IMAGE_PUT,
	SLOT_IMAGE_DEL,
	SLOT_IMAGE_EACH,
	SLOT_IMAGE_STEP_PUT,
	SLOT_IMAGE_STEP_EACH,
	SLOT_TAG_PUT,
	SLOT_TAG_DEL,
	SLOT_TAG_EACH,
	SLOT_VOLUME_PUT,
	SLOT_VOLUME_DEL,
	SLOT_VOLUME_EACH,
	SLOT_N
};

struct arg { /* a text, NULL for SQL's, or a number */
	bool is_text;
	const char *text;
	int64_t number;
};
#define TEXT(t) ((struct arg){.is_text = true, .text = (t)})
#define NUM(n)	((struct arg){.number = (int64_t)(n)})

struct query {
	enum slot slot;
	const char *sql;
	const struct arg *args;
	size_t n_args;
};
#define QUERY(slot_, sql_, ...)                                                                    \
	(&(const struct query){(slot_), (sql_), (const struct arg[]){__VA_ARGS__},                 \
			       sizeof((const struct arg[]){__VA_ARGS__}) / sizeof(struct arg)})
#define QUERY_ALL(slot_, sql_) (&(const struct query){(slot_), (sql_), NULL, 0})

/* runs a statement that changes rows. Return: 0; -EEXIST a UNIQUE clash; -ENOENT the row referred
 * to is not there; -errno */
int state_write(struct db *d, const struct query *q, struct err *e) MUST_CHECK;
unsigned state_changed(const struct db *d); /* rows the last write touched */

/* calls @fn for each row; a non-zero return ends and is returned */
typedef int (*row_fn)(sqlite3_stmt *s, const void *user_fn, void *data);
int state_each(struct db *d, const struct query *q, row_fn fn, const void *user_fn, void *data,
	       struct err *e) MUST_CHECK;
const char *state_text(sqlite3_stmt *s, int col); /* NULL for SQL's */

struct arg state_ip(struct ip ip, char text[IP_STR]); /* NULL where not set; @text must live on */
struct ip state_get_ip(sqlite3_stmt *s, int col);     /* not set: NULL, or unreadable */

/* reserve.c: disk room of the store's own. The file's before SQLite opens it, the journal's after.
 */
void state_reserve_file(int fd);
void state_reserve_journal(sqlite3 *sq, const char *path);

extern const char *const state_migrations[];
extern const unsigned state_n_migrations;
