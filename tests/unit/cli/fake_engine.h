/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_engine.h - just enough of an engine, in threads of the test, to see what the client does
 *
 * One container "c1" that echoes its input and then says "done" on standard error, exit code 7.
 */
#pragma once

#include <stdbool.h>

struct fake;
struct fake *fake_start(const char *api_version);
void fake_stop(struct fake *f);
const char *fake_host(const struct fake *f);
/* the requests so far, one a line: "POST /v1.51/containers/c1/start"; a copy, malloc'ed */
char *fake_log(struct fake *f);
/* from now on, a start is refused with 400 and this text */
void fake_refuse_start(struct fake *f, const char *text);
