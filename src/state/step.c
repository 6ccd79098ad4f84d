/* SPDX-License-Identifier: GPL-2.0-or-later */
/* step.c - the table of build steps: an image, what it was made from, by what */
#include "state/internal.h"
#include "state/tables.h"

int image_step_put(struct db *d, const struct image_step_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO image_step (image_id, parent_id, step_key) VALUES (?, ?, ?) "
		"ON CONFLICT (image_id) DO UPDATE SET parent_id = excluded.parent_id, "
		"step_key = excluded.step_key";

	return state_write(d,
			   QUERY(SLOT_IMAGE_STEP_PUT, sql, TEXT(r->image_id), TEXT(r->parent_id),
				 TEXT(r->key)),
			   e);
}

typedef int (*step_fn)(const struct image_step_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct image_step_row r = {state_text(s, 0), state_text(s, 1), state_text(s, 2)};

	return (*(const step_fn *)fn)(&r, data);
}

int image_step_each(struct db *d, step_fn fn, void *data, struct err *e)
{
	static const char sql[] =
		"SELECT image_id, parent_id, step_key FROM image_step ORDER BY rowid";

	return state_each(d, QUERY_ALL(SLOT_IMAGE_STEP_EACH, sql), one, &fn, data, e);
}
