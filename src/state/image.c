/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image.c - the table of images */
#include "state/internal.h"
#include "state/tables.h"

int image_put(struct db *d, const struct image_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO image (id, created_ns, size, layers_json, config_json, hidden) "
		"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
		"created_ns = excluded.created_ns, size = excluded.size, "
		"layers_json = excluded.layers_json, config_json = excluded.config_json, hidden = "
		"excluded.hidden";

	return state_write(d,
			   QUERY(SLOT_IMAGE_PUT, sql, TEXT(r->id), NUM(r->created_ns), NUM(r->size),
				 TEXT(r->layers_json), TEXT(r->config_json), NUM(r->hidden)),
			   e);
}

int image_del(struct db *d, const char *id, struct err *e)
{
	return state_write(d, QUERY(SLOT_IMAGE_DEL, "DELETE FROM image WHERE id = ?", TEXT(id)), e);
}

typedef int (*image_fn)(const struct image_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct image_row r = {
		.id = state_text(s, 0),
		.created_ns = sqlite3_column_int64(s, 1),
		.size = sqlite3_column_int64(s, 2),
		.layers_json = state_text(s, 3),
		.config_json = state_text(s, 4),
		.hidden = sqlite3_column_int(s, 5) != 0,
	};

	return (*(const image_fn *)fn)(&r, data);
}

int image_each(struct db *d, image_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT id, created_ns, size, layers_json, config_json, hidden "
				  "FROM image ORDER BY created_ns, id";

	return state_each(d, QUERY_ALL(SLOT_IMAGE_EACH, sql), one, &fn, data, e);
}
