/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * db.h - the store: one SQLite file (WAL, synchronous=FULL, foreign keys, STRICT tables)
 *
 * Migrations are numbered SQL in src/state/migrations/, applied by user_version in one transaction.
 * An object's life in the store has a phase: what is not PHASE_READY at start is undone or finished
 * by recovery. Each mutating operation commits twice: claim and done. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct db;

enum phase { PHASE_MAKING = 1, PHASE_READY = 2, PHASE_REMOVING = 3 };

int db_open(const char *path, struct db **ret,
	    struct err *e) MUST_CHECK; /* newer user_version: refused with a clear text */
void db_close(struct db *d);
DEFINE_AUTO(struct db, db_close);

/* Transactions nest by counting: only the outermost commits. A commit over 20 ms is logged. */
int db_begin(struct db *d, struct err *e) MUST_CHECK;
int db_commit(struct db *d,
	      struct err *e) MUST_CHECK; /* on failure the transaction is rolled back */
void db_rollback(struct db *d);
/* tests: the nth write from now fails with -EIO (0: off) */
void db_fail_at(struct db *d, unsigned n);
