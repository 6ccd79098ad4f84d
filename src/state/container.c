/* SPDX-License-Identifier: GPL-2.0-or-later */
/* container.c - the table of containers */
#include "state/internal.h"
#include "state/tables.h"

int container_put(struct db *d, const struct container_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO container (id, name, phase, created_ns, image_id, spec_json, "
		"state_json) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
		"name = excluded.name, phase = excluded.phase, created_ns = excluded.created_ns, "
		"image_id = excluded.image_id, spec_json = excluded.spec_json, "
		"state_json = excluded.state_json";

	return state_write(d,
			   QUERY(SLOT_CONTAINER_PUT, sql, TEXT(r->id), TEXT(r->name), NUM(r->phase),
				 NUM(r->created_ns), TEXT(r->image_id), TEXT(r->spec_json),
				 TEXT(r->state_json)),
			   e);
}

int container_put_state(struct db *d, const char *id, enum phase phase, const char *state_json,
			struct err *e)
{
	int r = state_write(d,
			    QUERY(SLOT_CONTAINER_PUT_STATE,
				  "UPDATE container SET phase = ?, state_json = ? WHERE id = ?",
				  NUM(phase), TEXT(state_json), TEXT(id)),
			    e);

	if (r == 0 && state_changed(d) == 0)
		return err_set(e, ERR_INTERNAL, ENOENT, "the store: no container %s", id);
	return r;
}

int container_del(struct db *d, const char *id, struct err *e)
{
	return state_write(
		d, QUERY(SLOT_CONTAINER_DEL, "DELETE FROM container WHERE id = ?", TEXT(id)), e);
}

typedef int (*container_fn)(const struct container_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct container_row r = {
		.id = state_text(s, 0),
		.name = state_text(s, 1),
		.phase = (enum phase)sqlite3_column_int(s, 2),
		.created_ns = sqlite3_column_int64(s, 3),
		.image_id = state_text(s, 4),
		.spec_json = state_text(s, 5),
		.state_json = state_text(s, 6),
	};

	return (*(const container_fn *)fn)(&r, data);
}

int container_each(struct db *d, container_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT id, name, phase, created_ns, image_id, spec_json, "
				  "state_json FROM container ORDER BY created_ns, id";

	return state_each(d, QUERY_ALL(SLOT_CONTAINER_EACH, sql), one, &fn, data, e);
}
