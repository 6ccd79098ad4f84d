/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logs.h - a container's log, for logs and attach */
#pragma once

#include "engine/engine.h"
#include "runtime/logs.h"

/* log_reader_open() on the container's log; q->path is filled in here. ERR_UNSUPPORTED where its
 * logging driver keeps none */
int container_log_open(struct engine *en, struct container *k, struct log_query *q,
		       const struct log_reader_ops *ops, struct log_reader **ret,
		       struct err *e) MUST_CHECK;
