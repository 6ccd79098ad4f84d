/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_store.c - opening, migrating, transactions that nest, writes made to fail, deaths midway */

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "state/db.h"
#include "state/internal.h"
#include "state/tables.h"
#include "tap.h"

static char top[] = "/tmp/atoll-test-state-XXXXXX";
static char path[128];
static struct db *d;

static int put(const char *name, struct err *e)
{
	struct volume_row r = {
		.name = name, .phase = PHASE_READY, .created_ns = 1, .spec_json = "{}"};

	return volume_put(d, &r, e);
}

static int append(const struct volume_row *r, void *data)
{
	(void)buf_printf(data, "%s ", r->name);
	return 0;
}

static const char *volumes(void)
{
	static char text[256];
	auto_buf struct buf b = BUF_INIT(200);

	if (volume_each(d, append, &b, NULL) < 0)
		return "failed";
	(void)snprintf(text, sizeof(text), "%s", buf_str(&b));
	return text;
}

static int begin(void)
{
	return db_begin(d, NULL);
}

static int commit(struct err *e)
{
	return db_commit(d, e);
}

/* ---- opening ---- */

static int number(const char *file, const char *sql)
{
	sqlite3 *sq = NULL;
	sqlite3_stmt *s = NULL;
	int n = -1;

	if (sqlite3_open(file, &sq) == SQLITE_OK &&
	    sqlite3_prepare_v2(sq, sql, -1, &s, NULL) == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
		n = sqlite3_column_int(s, 0);
	(void)sqlite3_finalize(s);
	(void)sqlite3_close(sq);
	return n;
}

static void run_sql(const char *file, const char *sql)
{
	sqlite3 *sq = NULL;

	if (sqlite3_open(file, &sq) != SQLITE_OK ||
	    sqlite3_exec(sq, sql, NULL, NULL, NULL) != SQLITE_OK)
		printf("# %s: %s\n", sql, sqlite3_errmsg(sq));
	(void)sqlite3_close(sq);
}

static void opened(void)
{
	auto_free char *wal = str_printf("%s-wal", path);
	struct stat st;
	struct err e = {0};

	(void)umask(0);
	is_int(db_open(path, &d, &e), 0, "a new store %s", e.msg);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "for us alone");
	is_int(put("one", &e), 0, "a row %s", e.msg);
	ok(stat(wal, &st) == 0 && (st.st_mode & 07777) == 0600, "its log too");
	is_int(number(path, "PRAGMA user_version"), (int)state_n_migrations, "all migrations");
	db_close(d);
	db_close(NULL);
	is_int(db_open(path, &d, &e), 0, "again %s", e.msg);
	is_str(volumes(), "one ", "what was put is there");
	db_close(d);
	d = NULL;
	is_int(number(path, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND "
			    "name NOT LIKE 'sqlite_%' AND NOT strict"),
	       0, "every table keeps its types");
}

static void refused(void)
{
	auto_free char *other = str_printf("%s/other", top), *text = str_printf("%s/text", top),
		       *link = str_printf("%s/link", top),
		       *want = str_printf("the store %s: it was written by a newer version (schema "
					  "%u, this one knows %u)",
					  other, state_n_migrations + 1, state_n_migrations);
	char pragma[64];
	struct db *got = NULL;
	struct err e = {0};

	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %u", state_n_migrations + 1);
	run_sql(other, pragma);
	is_int(db_open(other, &got, &e), -ENOTSUP, "a newer store");
	is_str(e.msg, want, "is left alone");
	ok(!got, "nothing is opened");
	is_int(fs_write(text, "this is not a database at all, and long enough to tell", 54, 0600),
	       0, "some file");
	is_int(db_open(text, &got, &e), -EUCLEAN, "is no store: %s", e.msg);
	is_int(db_open("/absent/dir/db", &got, &e), -ENOENT, "no such directory: %s", e.msg);
	ok(symlink(path, link) == 0 && db_open(link, &got, &e) == -ELOOP,
	   "a link is not followed: %s", e.msg);
}

/* A migration that fails leaves the version of before. */
static void half_migrated(void)
{
	auto_free char *file = str_printf("%s/half", top);
	struct db *got = NULL;
	struct err e = {0};

	/* the last of the first migration's tables is in the way */
	run_sql(file, "CREATE TABLE volume (x)");
	ok(db_open(file, &got, &e) < 0 && strstr(e.msg, "migration 1: cannot migrate the store: "),
	   "%s", e.msg);
	is_int(number(file, "PRAGMA user_version"), 0, "the version stays");
	is_int(number(file, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 1,
	       "nothing of it is left");
	run_sql(file, "DROP TABLE volume");
	is_int(db_open(file, &got, &e), 0, "then it is migrated %s", e.msg);
	db_close(got);
}

/* ---- transactions ---- */

static void transactions(void)
{
	struct err e = {0};

	is_int(commit(&e), -EINVAL, "a commit without a beginning");
	db_rollback(d);
	is_str(volumes(), "one ", "nor does a rollback harm");
	ok(!begin() && !put("two", &e), "a row within");
	is_str(volumes(), "one two ", "is seen");
	db_rollback(d);
	is_str(volumes(), "one ", "rolled back");
	ok(!begin() && !put("two", &e) && !commit(&e), "committed");
	is_str(volumes(), "one two ", "stays");
	ok(!begin() && !begin() && !put("three", &e) && !commit(&e), "one in another");
	is_str(volumes(), "one three two ", "by name, as they are of the same time");
	db_rollback(d);
	is_str(volumes(), "one two ", "goes with the outer one");
	ok(!begin() && !begin() && !put("three", &e), "one in another");
	db_rollback(d);
	is_int(put("four", &e), -ECANCELED, "rolled back inside: no further write");
	is_str(e.msg, "the transaction was rolled back", "told so");
	is_int(commit(&e), -ECANCELED, "and no commit");
	is_str(volumes(), "one two ", "of any half");
	is_int(put("three", &e), 0, "the next is free again");
	is_int(volume_del(d, "three", &e), 0, "gone");
}

static void failing(void)
{
	struct err e = {0};

	db_fail_at(d, 1);
	is_int(put("x", &e), -EIO, "the next write fails");
	is_str(e.msg, "the store: fault injected", "as it was told to");
	is_int(put("x", &e), 0, "the one after does not");
	is_int(volume_del(d, "x", &e), 0, "gone");
	db_fail_at(d, 3);
	ok(!begin() && !put("x", &e) && !put("y", &e), "two good ones");
	is_int(commit(&e), -EIO, "then the commit");
	is_str(volumes(), "one two ", "leaves nothing");
	is_int(commit(&e), -EINVAL, "it is over");
	db_fail_at(d, 1);
	db_fail_at(d, 0);
	is_int(put("x", &e), 0, "switched off");
	is_int(volume_del(d, "x", &e), 0, "gone");
}

/* A process that dies within a transaction leaves nothing of it, after a commit all. */
static void deaths(void)
{
	db_close(d);
	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			bool good = db_open(path, &d, NULL) == 0 && !begin() &&
				    !put(i ? "after" : "before", NULL) && (!i || !commit(NULL));

			(void)raise(good ? SIGKILL : SIGTERM);
		}
		{
			int status = 0;

			(void)waitpid(pid, &status, 0);
			ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
			   "killed %s its commit", i ? "after" : "before");
		}
	}
	is_int(db_open(path, &d, NULL), 0, "opened again");
	is_str(volumes(), "after one two ", "one is there");
}

/* Another process that writes for a moment is waited for. */
static void busy(void)
{
	sqlite3 *other = NULL;
	struct err e = {0};

	(void)sqlite3_open(path, &other);
	ok(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK, "another writes");
	is_str(volumes(), "after one two ", "reading goes on");
	is_int(put("x", &e), -EBUSY, "writing gives up after two seconds");
	is_int(e.kind, ERR_UNAVAILABLE, "for now");
	(void)sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
	(void)sqlite3_close(other);
	is_int(put("x", &e), 0, "then it may %s", e.msg);
}

int main(void)
{
	if (!mkdtemp(top))
		return tap_skip_all("no directory below /tmp");
	(void)snprintf(path, sizeof(path), "%s/atoll.db", top);
	opened();
	refused();
	half_migrated();
	is_int(db_open(path, &d, NULL), 0, "the store");
	transactions();
	failing();
	deaths();
	busy();
	db_close(d);
	is_int(fs_rm_tree(top), 0, "all is swept");
	return tap_done();
}
