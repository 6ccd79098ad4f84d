/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats_json.h - a sample of a container's figures as GET /containers/{id}/stats shows it; pure */
#pragma once

#include "base/jsonw.h"
#include "runtime/stats.h"

struct stats_view {
	const char *id, *name;	       /* name without the slash */
	const struct rt_stats *now;    /* NULL: it does not run */
	const struct stat_cpu *before; /* of the sample before; NULL none */
	int64_t before_ns;
};
void stats_json(struct jsonw *w, const struct stats_view *v);
