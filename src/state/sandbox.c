/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sandbox.c - the table of pinned network namespaces */
#include "state/internal.h"
#include "state/tables.h"

int sandbox_put(struct db *d, const struct sandbox_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO sandbox (container_id, dns_port) VALUES (?, ?) "
		"ON CONFLICT (container_id) DO UPDATE SET dns_port = excluded.dns_port";

	return state_write(d, QUERY(SLOT_SANDBOX_PUT, sql, TEXT(r->container_id), NUM(r->dns_port)),
			   e);
}

int sandbox_del(struct db *d, const char *container_id, struct err *e)
{
	return state_write(d,
			   QUERY(SLOT_SANDBOX_DEL, "DELETE FROM sandbox WHERE container_id = ?",
				 TEXT(container_id)),
			   e);
}

typedef int (*sandbox_fn)(const struct sandbox_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct sandbox_row r = {
		.container_id = state_text(s, 0),
		.dns_port = (uint16_t)sqlite3_column_int(s, 1),
	};

	return (*(const sandbox_fn *)fn)(&r, data);
}

int sandbox_each(struct db *d, sandbox_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT container_id, dns_port FROM sandbox ORDER BY rowid";

	return state_each(d, QUERY_ALL(SLOT_SANDBOX_EACH, sql), one, &fn, data, e);
}
