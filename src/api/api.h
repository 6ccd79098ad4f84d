/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api.h - the Docker Engine API 1.24 to 1.51 over http/, answered by engine/
 *
 * Loop thread. Source: the Engine API's reference (docs/api.md says what is there and what is not).
 */
#pragma once

#include "base/err.h"

#define API_VERSION_MIN 124
#define API_VERSION_MAX 151

struct api;
struct engine;
struct http_req;

int api_new(struct engine *en, struct api **ret, struct err *e) MUST_CHECK;
/* after http_server_free(): no request lives then; before engine_close(). NULL allowed */
void api_free(struct api *a);
/* the http_config.handler; @data is the struct api */
void api_handle(struct http_req *r, void *data);
