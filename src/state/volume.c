/* SPDX-License-Identifier: GPL-2.0-or-later */
/* volume.c - the table of volumes */
#include "state/internal.h"
#include "state/tables.h"

int volume_put(struct db *d, const struct volume_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO volume (name, phase, created_ns, anonymous, spec_json) "
		"VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET phase = excluded.phase, "
		"created_ns = excluded.created_ns, anonymous = excluded.anonymous, "
		"spec_json = excluded.spec_json";

	return state_write(d,
			   QUERY(SLOT_VOLUME_PUT, sql, TEXT(r->name), NUM(r->phase),
				 NUM(r->created_ns), NUM(r->anonymous), TEXT(r->spec_json)),
			   e);
}

int volume_del(struct db *d, const char *name, struct err *e)
{
	return state_write(
		d, QUERY(SLOT_VOLUME_DEL, "DELETE FROM volume WHERE name = ?", TEXT(name)), e);
}

typedef int (*volume_fn)(const struct volume_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct volume_row r = {
		.name = state_text(s, 0),
		.phase = (enum phase)sqlite3_column_int(s, 1),
		.created_ns = sqlite3_column_int64(s, 2),
		.anonymous = sqlite3_column_int(s, 3) != 0,
		.spec_json = state_text(s, 4),
	};

	return (*(const volume_fn *)fn)(&r, data);
}

int volume_each(struct db *d, volume_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT name, phase, created_ns, anonymous, spec_json "
				  "FROM volume ORDER BY created_ns, name";

	return state_each(d, QUERY_ALL(SLOT_VOLUME_EACH, sql), one, &fn, data, e);
}
