/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logging.h - the log drivers: json-file (Docker's format and place), local, none; their options
 *
 * Error texts are Docker's. Sizes: max-size of json-file is decimal (10m = 10,000,000), of local
 * binary, as in Docker.
 */
#pragma once

#include "engine/internal.h"
#include "runtime/runtime.h"

/* driver and options as --log-driver and --log-opt give them; @options may be NULL */
int logging_check(const char *driver, const json_t *options, struct err *e) MUST_CHECK;
/* a create's LogConfig: the daemon's where it says nothing; checked */
int logging_merge(const struct daemon_config *config, json_t *host, struct err *e) MUST_CHECK;
bool logging_reads(const struct container *c); /* whether its log can be read */

/* what the shim is to do; folders are made. Errors begin "failed to initialize logging driver" */
struct logging {
	struct rt_log log;
	char *path, *attrs; /* malloc'ed, borrowed by @log */
};
int logging_open(struct container *c, struct logging *ret, struct err *e) MUST_CHECK;
void logging_done(struct logging *l);
/* a log of the versions before is put in its new place */
void logging_migrate(struct container *c);
