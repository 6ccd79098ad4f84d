/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * metrics.h - numbers of the engine for Prometheus (--metrics-addr)
 *
 * Docker's names (engine_daemon_...) where Docker has them, process_... as every exporter,
 * atoll_... for what Docker does not count: requests by route, networks, endpoints, published
 * ports. Counted from the start of the process on. Source:
 * docs.docker.com/engine/daemon/prometheus.
 */
#pragma once

#include "base/err.h"

struct engine;
struct http_req;
struct http_server;
struct metrics;

int metrics_new(struct engine *en, struct metrics **ret, struct err *e) MUST_CHECK;
void metrics_free(struct metrics *m); /* NULL allowed; before the engine's end */
/* whose connections are shown; borrowed */
void metrics_of_server(struct metrics *m, const struct http_server *s);
/* config.ended of that server: its marks are struct route */
void metrics_request(struct http_req *r, unsigned status, int64_t took_ns, void *metrics);
/* config.handler of the server that answers GET /metrics; data: struct metrics */
void metrics_handle(struct http_req *r, void *metrics);
