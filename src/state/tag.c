/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tag.c - the table of tags: a name for an image */
#include "state/internal.h"
#include "state/tables.h"

int tag_put(struct db *d, const char *tag, const char *image_id, struct err *e)
{
	static const char sql[] = "INSERT INTO tag (tag, image_id) VALUES (?, ?) "
				  "ON CONFLICT (tag) DO UPDATE SET image_id = excluded.image_id";

	return state_write(d, QUERY(SLOT_TAG_PUT, sql, TEXT(tag), TEXT(image_id)), e);
}

int tag_del(struct db *d, const char *tag, struct err *e)
{
	return state_write(d, QUERY(SLOT_TAG_DEL, "DELETE FROM tag WHERE tag = ?", TEXT(tag)), e);
}

typedef int (*tag_fn)(const char *tag, const char *image_id, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	return (*(const tag_fn *)fn)(state_text(s, 0), state_text(s, 1), data);
}

int tag_each(struct db *d, tag_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT tag, image_id FROM tag ORDER BY rowid";

	return state_each(d, QUERY_ALL(SLOT_TAG_EACH, sql), one, &fn, data, e);
}
