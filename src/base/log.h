/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - one line per event on stderr: plain (time level msg key=value) or JSON
 *
 * Written at edges only (request end, step failure, main); libraries log at debug level.
 * Never pass secrets. Thread-safe: one write(2) a line.
 */
#pragma once

#include <stdbool.h>

#include "base/auto.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_setup(const char *program, enum log_level level, bool json);
bool log_enabled(enum log_level level);
int log_parse_level(const char *s,
		    enum log_level *ret) MUST_CHECK; /* debug info warn error fatal */
/* text then "key=value" pairs inside the format, e.g. log_info("network created network=%s", name)
 */
void log_at(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
