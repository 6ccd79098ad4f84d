/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port.c - the table of published ports */
#include "state/internal.h"
#include "state/tables.h"

int port_put(struct db *d, const struct port_row *r, struct err *e)
{
	/* only the holder may put again: another container's port is a clash, not a replacement */
	static const char sql[] =
		"INSERT INTO port (container_id, proto, host_ip, host_port, host_port_end, port) "
		"VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (proto, host_ip, host_port) DO UPDATE SET "
		"host_port_end = excluded.host_port_end, port = excluded.port "
		"WHERE container_id = excluded.container_id";
	char ip[IP_STR];
	int done = state_write(d,
			       QUERY(SLOT_PORT_PUT, sql, TEXT(r->container_id), NUM(r->proto),
				     state_ip(r->host_ip, ip), NUM(r->host_port),
				     NUM(r->host_port_end), NUM(r->port)),
			       e);

	if (done == 0 && state_changed(d) == 0)
		return err_conflict(e, "the store: port %u is another container's", r->host_port);
	return done;
}

int port_del_container(struct db *d, const char *container_id, struct err *e)
{
	return state_write(
		d,
		QUERY(SLOT_PORT_DEL, "DELETE FROM port WHERE container_id = ?", TEXT(container_id)),
		e);
}

typedef int (*port_fn)(const struct port_row *r, void *data);

static int one(sqlite3_stmt *s, const void *fn, void *data)
{
	struct port_row r = {
		.container_id = state_text(s, 0),
		.proto = (uint8_t)sqlite3_column_int(s, 1),
		.host_ip = state_get_ip(s, 2),
		.host_port = (uint16_t)sqlite3_column_int(s, 3),
		.host_port_end = (uint16_t)sqlite3_column_int(s, 4),
		.port = (uint16_t)sqlite3_column_int(s, 5),
	};

	return (*(const port_fn *)fn)(&r, data);
}

int port_each(struct db *d, port_fn fn, void *data, struct err *e)
{
	static const char sql[] = "SELECT container_id, proto, host_ip, host_port, host_port_end, "
				  "port FROM port ORDER BY rowid";

	return state_each(d, QUERY_ALL(SLOT_PORT_EACH, sql), one, &fn, data, e);
}
