/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.h - the API on a unix socket, in a thread of the test, over an engine that has events alone
 */
#pragma once

#include <stdbool.h>

struct engine;

bool serve_start(
	void (*prepare)(struct engine *en)); /* @prepare: before the thread runs; or NULL */
void serve_stop(void);
const char *serve_host(void); /* unix:///... */
int serve_raw(void);	      /* a connection; reads time out after 20 s */
/* runs @fn once on the server's thread, soon */
void serve_call(void (*fn)(struct engine *en));
