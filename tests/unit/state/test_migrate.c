/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_migrate.c - stores of earlier versions: their rows come through each migration */

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "state/internal.h"
#include "state/tables.h"
#include "tap.h"

static char top[] = "/tmp/atoll-test-migrate-XXXXXX";
static struct buf seen = BUF_INIT(1 << 16);

static const char *walked(int r)
{
	static char text[2048];

	(void)snprintf(text, sizeof(text), "%s%s", buf_str(&seen), r ? "!" : "");
	buf_clear(&seen);
	return text;
}

static int see_network(const struct network_row *r, void *data)
{
	(void)data;
	(void)buf_printf(&seen, "%s:%s:%d:%lld:%s:%s ", r->id, r->name, (int)r->phase,
			 (long long)r->created_ns, r->bridge ? r->bridge : "NULL", r->spec_json);
	return 0;
}

static int see_endpoint(const struct endpoint_row *r, void *data)
{
	char ip4[IP_STR], ip6[IP_STR];

	(void)data;
	(void)buf_printf(&seen, "%s:%s:%s:%d:%d:%s:%s:%s ", r->id, r->network_id, r->container_id,
			 (int)r->phase, r->attached, ip_str(r->addr[V4], ip4),
			 ip_str(r->addr[V6], ip6), r->spec_json);
	return 0;
}

static int see_port(const struct port_row *r, void *data)
{
	char ip[IP_STR];

	(void)data;
	(void)buf_printf(&seen, "%s:%u:%s:%u-%u:%u ", r->container_id, r->proto,
			 ip_str(r->host_ip, ip), r->host_port, r->host_port_end, r->port);
	return 0;
}

/* As the first version left them: addresses are numbers. */
static const char first_rows[] =
	"INSERT INTO network VALUES ('n1', 'front', 2, 10, 'br-1', '172.18.0.0/16', '{\"a\":1}');"
	"INSERT INTO network VALUES ('n2', 'host', 2, 20, NULL, NULL, '{}');"
	"INSERT INTO endpoint VALUES ('e1', 'n1', 'c1', 2, 1, 2886860802, '{\"b\":2}');"
	"INSERT INTO endpoint VALUES ('e2', 'n1', 'c2', 2, 0, 0, '{}');"
	"INSERT INTO endpoint VALUES ('e3', 'n1', 'c3', 2, 0, 0, '{}');"
	"INSERT INTO endpoint VALUES ('e4', 'n2', 'c1', 1, 1, 4294967295, '{}');"
	"INSERT INTO port VALUES ('c1', 6, 0, 8080, 8080, 80);"
	"INSERT INTO port VALUES ('c1', 17, 2130706433, 9000, 9019, 9000);"
	"INSERT INTO port VALUES ('c2', 6, 3232235777, 443, 443, 443);"
	"INSERT INTO sandbox VALUES ('c1', 5353);"
	"INSERT INTO container VALUES ('c1', 'web', 2, 5, 'sha256:1', '{}', '{\"s\":1}');"
	"INSERT INTO volume VALUES ('v', 2, 7, 1, '{}');";

static int number(sqlite3 *sq, const char *sql)
{
	sqlite3_stmt *s = NULL;
	int n = -1;

	if (sqlite3_prepare_v2(sq, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int(s, 0);
	(void)sqlite3_finalize(s);
	return n;
}

/* A store at version 1 with those rows. */
static bool make_first(const char *file)
{
	sqlite3 *sq = NULL;
	bool good = sqlite3_open(file, &sq) == SQLITE_OK &&
		    sqlite3_exec(sq, state_migrations[0], NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(sq, "PRAGMA user_version = 1", NULL, NULL, NULL) == SQLITE_OK &&
		    sqlite3_exec(sq, first_rows, NULL, NULL, NULL) == SQLITE_OK;

	if (!good)
		printf("# %s\n", sqlite3_errmsg(sq));
	(void)sqlite3_close(sq);
	return good;
}

static void rows_of(struct db *d)
{
	is_str(walked(network_each(d, see_network, NULL, NULL)),
	       "n1:front:2:10:br-1:{\"a\":1} n2:host:2:20:NULL:{} ", "networks");
	is_str(walked(endpoint_each(d, see_endpoint, NULL, NULL)),
	       "e1:n1:c1:2:1:172.18.0.2::{\"b\":2} e2:n1:c2:2:0:::{} e3:n1:c3:2:0:::{} "
	       "e4:n2:c1:1:1:255.255.255.255::{} ",
	       "endpoints, in their order");
	is_str(walked(port_each(d, see_port, NULL, NULL)),
	       "c1:6:0.0.0.0:8080-8080:80 c1:17:127.0.0.1:9000-9019:9000 "
	       "c2:6:192.168.1.1:443-443:443 ",
	       "ports");
}

static void first_to_now(void)
{
	auto_free char *file = str_printf("%s/first", top);
	struct endpoint_row taken = {"e9", "n1", "c9", PHASE_READY, true, {{0, 0xac120002, 4}},
				     "{}"};
	struct err e = {0};
	struct db *d = NULL;
	sqlite3 *sq = NULL;

	ok(make_first(file), "a store of the first version");
	is_int(db_open(file, &d, &e), 0, "is opened %s", e.msg);
	if (!d)
		return;
	rows_of(d);
	is_int(endpoint_put(d, &taken, &e), -EEXIST, "an address is still one's own");
	taken.addr[V4] = (struct ip){0};
	taken.addr[V6] = (struct ip){0xfd00ull << 48, 2, 6};
	is_int(endpoint_put(d, &taken, &e), 0, "IPv6 has a place now %s", e.msg);
	is_int(endpoint_del(d, "e9", &e), 0, "gone");
	is_int(network_del(d, "n1", &e), 0, "a network is removed");
	is_str(walked(endpoint_each(d, see_endpoint, NULL, NULL)),
	       "e4:n2:c1:1:1:255.255.255.255::{} ", "and takes its endpoints along");
	is_int(port_del_container(d, "c1", &e), 0, "a container's ports");
	is_str(walked(port_each(d, see_port, NULL, NULL)), "c2:6:192.168.1.1:443-443:443 ", "go");
	db_close(d);
	is_int(sqlite3_open(file, &sq), SQLITE_OK, "looked into");
	is_int(number(sq, "SELECT dns_port FROM sandbox"), 5353, "sandboxes stay");
	is_int(number(sq, "SELECT count(*) FROM container"), 1, "containers");
	is_int(number(sq, "SELECT count(*) FROM volume"), 1, "volumes");
	is_int(number(sq, "PRAGMA foreign_key_check"), -1, "nothing refers to what is not there");
	(void)sqlite3_close(sq);
}

/* A migration that fails leaves all as it was, and is tried again. */
static void half_way(void)
{
	auto_free char *file = str_printf("%s/half", top);
	struct err e = {0};
	struct db *d = NULL;
	sqlite3 *sq = NULL;

	ok(make_first(file), "a store of the first version");
	(void)sqlite3_open(file, &sq);
	ok(sqlite3_exec(sq, "CREATE TABLE port_both (x)", NULL, NULL, NULL) == SQLITE_OK,
	   "something is in the way");
	ok(db_open(file, &d, &e) < 0 && strstr(e.msg, "migration 2: cannot migrate the store: "),
	   "%s", e.msg);
	is_int(number(sq, "PRAGMA user_version"), 1, "the version stays");
	is_int(number(sq, "SELECT count(*) FROM endpoint WHERE addr <> 0"), 2, "the rows too");
	ok(sqlite3_exec(sq, "DROP TABLE port_both", NULL, NULL, NULL) == SQLITE_OK, "out of it");
	(void)sqlite3_close(sq);
	is_int(db_open(file, &d, &e), 0, "then it is migrated %s", e.msg);
	if (d)
		rows_of(d);
	db_close(d);
}

int main(void)
{
	if (!mkdtemp(top))
		return tap_skip_all("no directory below /tmp");
	first_to_now();
	half_way();
	is_int(fs_rm_tree(top), 0, "all is swept");
	return tap_done();
}
