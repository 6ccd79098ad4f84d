/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * db.c - opening and migrating the store, transactions, statements
 *
 * Transactions count: BEGIN IMMEDIATE at depth 0, COMMIT when the outermost ends. A rollback inside
 * dooms the outer ones: they refuse further writes and their commit fails, so no half of an
 * operation is ever kept.
 */
#include "state/db.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "state/internal.h"

#define SLOW_COMMIT_NS (20 * NS_PER_MS)
#define BUSY_MS	       2000 /* another process looking with sqlite3(1) */

struct db {
	sqlite3 *sq;
	sqlite3_stmt *slots[SLOT_N];
	unsigned depth;
	bool doomed;
	unsigned fail_at;
};

/* SQLite tells of a full disk in more than one way: where its -shm cannot grow it is an I/O error
 */
static bool is_full(struct db *d, int rc)
{
	int primary = rc & 0xff, eno = sqlite3_system_errno(d->sq);

	return primary == SQLITE_FULL || ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) &&
					  (eno == ENOSPC || eno == EDQUOT));
}

static int fail(struct db *d, int rc, const char *what, struct err *e)
{
	int ext = sqlite3_extended_errcode(d->sq);
	const char *text = sqlite3_errmsg(d->sq);

	if (is_full(d, rc))
		return err_set(e, ERR_INTERNAL, ENOSPC, "%s: %s: no space left on device", what,
			       text);
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		if (ext == SQLITE_CONSTRAINT_UNIQUE || ext == SQLITE_CONSTRAINT_PRIMARYKEY)
			return err_set(e, ERR_CONFLICT, EEXIST, "%s: %s", what, text);
		if (ext == SQLITE_CONSTRAINT_FOREIGNKEY)
			return err_set(e, ERR_INTERNAL, ENOENT, "%s: %s", what, text);
		return err_set(e, ERR_INTERNAL, EINVAL, "%s: %s", what, text);
	case SQLITE_NOMEM:
		return err_nomem(e);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%s: %s", what, text);
	case SQLITE_READONLY:
		return err_set(e, ERR_INTERNAL, EROFS, "%s: %s", what, text);
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return err_set(e, ERR_INTERNAL, EUCLEAN, "%s: %s", what, text);
	}
	return err_set(e, ERR_INTERNAL, EIO, "%s: %s", what, text);
}

static int exec(struct db *d, const char *sql, const char *what, struct err *e)
{
	int rc = sqlite3_exec(d->sq, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : fail(d, rc, what, e);
}

static int stmt_take(struct db *d, enum slot slot, const char *sql, sqlite3_stmt **ret,
		     struct err *e)
{
	if (d->slots[slot]) {
		*ret = TAKE_PTR(d->slots[slot]);
		return 0;
	}
	int rc = sqlite3_prepare_v3(d->sq, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);

	return rc == SQLITE_OK ? 0 : fail(d, rc, "the store", e);
}

static void stmt_give(struct db *d, enum slot slot, sqlite3_stmt *s)
{
	(void)sqlite3_reset(s); /* repeats the error of the last step, which was dealt with */
	(void)sqlite3_clear_bindings(s);
	if (d->slots[slot])
		(void)sqlite3_finalize(s);
	else
		d->slots[slot] = s;
}

static int bind_all(sqlite3_stmt *s, const struct query *q)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < q->n_args && rc == SQLITE_OK; i++) {
		const struct arg *a = &q->args[i];

		if (!a->is_text)
			rc = sqlite3_bind_int64(s, (int)i + 1, a->number);
		else if (a->text)
			rc = sqlite3_bind_text(s, (int)i + 1, a->text, -1, SQLITE_STATIC);
		else
			rc = sqlite3_bind_null(s, (int)i + 1);
	}
	return rc;
}

static bool injected(struct db *d)
{
	return d->fail_at && --d->fail_at == 0;
}

/* runs a statement without rows */
static int run(struct db *d, const struct query *q, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int r = stmt_take(d, q->slot, q->sql, &s, e);

	if (r < 0)
		return r;
	int rc = bind_all(s, q);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	r = rc == SQLITE_DONE ? 0 : fail(d, rc, "the store", e);
	stmt_give(d, q->slot, s);
	return r;
}

int state_write(struct db *d, const struct query *q, struct err *e)
{
	if (d->depth > 0 && sqlite3_get_autocommit(d->sq)) /* it rolled back itself: disk full */
		d->doomed = true;
	if (d->doomed)
		return err_set(e, ERR_INTERNAL, ECANCELED, "the transaction was rolled back");
	if (injected(d))
		return err_set(e, ERR_INTERNAL, EIO, "the store: fault injected");
	return run(d, q, e);
}

unsigned state_changed(const struct db *d)
{
	return (unsigned)sqlite3_changes(d->sq);
}

int state_each(struct db *d, const struct query *q, row_fn fn, const void *user_fn, void *data,
	       struct err *e)
{
	sqlite3_stmt *s = NULL;
	int r = stmt_take(d, q->slot, q->sql, &s, e);

	if (r < 0)
		return r;
	int rc = bind_all(s, q);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(s);
		if (rc != SQLITE_ROW)
			break;
		r = fn(s, user_fn, data);
		if (r)
			break;
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		r = fail(d, rc, "the store", e);
	stmt_give(d, q->slot, s);
	return r;
}

struct arg state_ip(struct ip ip, char text[IP_STR])
{
	return TEXT(ip_set(ip) ? ip_str(ip, text) : NULL);
}

struct ip state_get_ip(sqlite3_stmt *s, int col)
{
	const char *text = state_text(s, col);
	struct ip ip = {0};

	return text && ip_parse(text, &ip) >= 0 ? ip : (struct ip){0};
}

const char *state_text(sqlite3_stmt *s, int col)
{
	return (const char *)sqlite3_column_text(s, col);
}

int db_begin(struct db *d, struct err *e)
{
	if (d->depth > 0) {
		d->depth++;
		return 0;
	}
	int r = run(d, QUERY_ALL(SLOT_BEGIN, "BEGIN IMMEDIATE"), e);

	if (r < 0)
		return r;
	d->depth = 1;
	d->doomed = false;
	return 0;
}

void db_rollback(struct db *d)
{
	struct err e = {0};

	if (d->depth == 0)
		return;
	if (--d->depth > 0) {
		d->doomed = true;
		return;
	}
	d->doomed = false;
	if (sqlite3_get_autocommit(d->sq)) /* SQLite rolled back itself (disk full, I/O error) */
		return;
	if (run(d, QUERY_ALL(SLOT_ROLLBACK, "ROLLBACK"), &e) < 0)
		log_error("rollback failed error=\"%s\"", e.msg);
}

int db_commit(struct db *d, struct err *e)
{
	int r;

	if (d->depth == 0)
		return err_set(e, ERR_INTERNAL, EINVAL, "commit without a transaction");
	if (d->depth > 1) {
		d->depth--;
		return 0;
	}
	int64_t start = clock_mono_ns();

	if (d->doomed)
		r = err_set(e, ERR_INTERNAL, ECANCELED, "the transaction was rolled back");
	else if (injected(d))
		r = err_set(e, ERR_INTERNAL, EIO, "the store: fault injected");
	else
		r = run(d, QUERY_ALL(SLOT_COMMIT, "COMMIT"), e);
	if (r < 0) {
		db_rollback(d);
		return r;
	}
	d->depth = 0;
	int64_t took = clock_mono_ns() - start;

	if (took > SLOW_COMMIT_NS)
		log_info("slow commit of the store ms=%lld", (long long)(took / NS_PER_MS));
	return 0;
}

void db_fail_at(struct db *d, unsigned n)
{
	d->fail_at = n;
}

static int version_of(struct db *d, unsigned *ret, struct err *e)
{
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(d->sq, "PRAGMA user_version", -1, &s, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	int r = rc == SQLITE_ROW ? 0 : fail(d, rc, "cannot read the store", e);

	if (r == 0)
		*ret = (unsigned)sqlite3_column_int(s, 0);
	(void)sqlite3_finalize(s);
	return r;
}

static int migrate_to(struct db *d, unsigned n, struct err *e)
{
	char pragma[64];
	int r = db_begin(d, e);

	if (r < 0)
		return r;
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %u", n);
	r = exec(d, state_migrations[n - 1], "cannot migrate the store", e);
	if (r >= 0)
		r = exec(d, pragma, "cannot migrate the store", e);
	if (r < 0) {
		db_rollback(d);
		return err_wrap(e, "migration %u", n);
	}
	return db_commit(d, e);
}

static int migrate(struct db *d, struct err *e)
{
	unsigned have = 0;
	int r = version_of(d, &have, e);

	if (r < 0)
		return r;
	if (have > state_n_migrations)
		return err_set(e, ERR_INTERNAL, ENOTSUP,
			       "it was written by a newer version (schema %u, this one knows %u)",
			       have, state_n_migrations);
	for (unsigned n = have + 1; n <= state_n_migrations; n++) {
		r = migrate_to(d, n, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int setup(struct db *d, struct err *e)
{
	static const char pragmas[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
				      "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF;"
				      /* KiB: the kernel caches the file; we ask once a life */
				      "PRAGMA cache_size=-256;";

	(void)sqlite3_extended_result_codes(d->sq, 1);
	(void)sqlite3_busy_timeout(d->sq, BUSY_MS);
	int r = exec(d, pragmas, "cannot set it up", e);

	return r < 0 ? r : migrate(d, e);
}

void db_close(struct db *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < SLOT_N; i++)
		(void)sqlite3_finalize(d->slots[i]);
	(void)sqlite3_close_v2(d->sq);
	free(d);
}

int db_open(const char *path, struct db **ret, struct err *e)
{
	/* made here so that the mode is ours; SQLite gives its -wal and -shm the same */
	if (!streq(path, ":memory:")) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (fd < 0)
			return err_sys(e, errno, "cannot open the store %s", path);
		state_reserve_file(fd); /* before SQLite locks it: a close takes the locks away */
		(void)fd_close(fd);
	}
	struct db *d = calloc(1, sizeof(*d));

	if (!d)
		return err_nomem(e);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	int rc = sqlite3_open_v2(path, &d->sq, flags, NULL);
	int r;

	if (!d->sq)
		r = err_nomem(e);
	else
		r = rc == SQLITE_OK ? setup(d, e) : fail(d, rc, "cannot open it", e);
	if (r < 0) {
		(void)err_wrap(e, "the store %s", path); /* the code stays */
		db_close(d);
		return r;
	}
	if (!streq(path, ":memory:"))
		state_reserve_journal(d->sq, path);
	*ret = d;
	return 0;
}
