/* SPDX-License-Identifier: GPL-2.0-or-later */
/* network.c - the table of networks */
#include "state/internal.h"
#include "state/tables.h"

int network_put(struct db *d, const struct network_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO network (id, name, phase, created_ns, bridge, spec_json) "
		"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name, "
		"phase = excluded.phase, created_ns = excluded.created_ns, "
		"bridge = excluded.bridge, spec_json = excluded.spec_json";

	return state_write(d,
			   QUERY(SLOT_NETWORK_PUT, sql, TEXT(r->id), TEXT(r->name), NUM(r->phase),
				 NUM(r->created_ns), TEXT(r->bridge), TEXT(r->spec_json)),
			   e);
}

int network_del(struct db *d, const char *id, struct err *e)
{
	return state_write(d, QUERY(SLOT_NETWORK_DEL, "DELETE FROM network WHERE id = ?", TEXT(id)),
			   e);
}

typedef int (*network_fn)(const struct network_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct network_row r = {
		.id = state_text(s, 0),
		.name = state_text(s, 1),
		.phase = (enum phase)sqlite3_column_int(s, 2),
		.created_ns = sqlite3_column_int64(s, 3),
		.bridge = state_text(s, 4),
		.spec_json = state_text(s, 5),
	};

	return (*(const network_fn *)fn)(&r, data);
}

int network_each(struct db *d, network_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT id, name, phase, created_ns, bridge, spec_json "
				  "FROM network ORDER BY created_ns, id";

	return state_each(d, QUERY_ALL(SLOT_NETWORK_EACH, sql), one, &fn, data, e);
}
