/* SPDX-License-Identifier: GPL-2.0-or-later */
/* endpoint.c - the table of endpoints: a container on a network */
#include "state/internal.h"
#include "state/tables.h"

int endpoint_put(struct db *d, const struct endpoint_row *r, struct err *e)
{
	static const char sql[] =
		"INSERT INTO endpoint (id, network_id, container_id, phase, attached, addr4, "
		"addr6, spec_json) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
		"network_id = excluded.network_id, container_id = excluded.container_id, "
		"phase = excluded.phase, attached = excluded.attached, addr4 = excluded.addr4, "
		"addr6 = excluded.addr6, spec_json = excluded.spec_json";
	char ip4[IP_STR], ip6[IP_STR];

	return state_write(d,
			   QUERY(SLOT_ENDPOINT_PUT, sql, TEXT(r->id), TEXT(r->network_id),
				 TEXT(r->container_id), NUM(r->phase), NUM(r->attached),
				 state_ip(r->addr[V4], ip4), state_ip(r->addr[V6], ip6),
				 TEXT(r->spec_json)),
			   e);
}

int endpoint_del(struct db *d, const char *id, struct err *e)
{
	return state_write(
		d, QUERY(SLOT_ENDPOINT_DEL, "DELETE FROM endpoint WHERE id = ?", TEXT(id)), e);
}

typedef int (*endpoint_fn)(const struct endpoint_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct endpoint_row r = {
		.id = state_text(s, 0),
		.network_id = state_text(s, 1),
		.container_id = state_text(s, 2),
		.phase = (enum phase)sqlite3_column_int(s, 3),
		.attached = sqlite3_column_int(s, 4) != 0,
		.addr = {state_get_ip(s, 5), state_get_ip(s, 6)},
		.spec_json = state_text(s, 7),
	};

	return (*(const endpoint_fn *)fn)(&r, data);
}

int endpoint_each(struct db *d, endpoint_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT id, network_id, container_id, phase, attached, addr4, "
				  "addr6, spec_json FROM endpoint ORDER BY rowid";

	return state_each(d, QUERY_ALL(SLOT_ENDPOINT_EACH, sql), one, &fn, data, e);
}
