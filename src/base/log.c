/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - one write(2) a line */

#include "base/log.h"

#include <stdarg.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jsonw.h"
#include "base/limits.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static const char *log_program = "atoll";
static enum log_level log_least = LOG_INFO;
static bool log_json;

void log_setup(const char *program, enum log_level level, bool json)
{
	log_program = program;
	log_least = level;
	log_json = json;
}

bool log_enabled(enum log_level level)
{
	return level >= log_least;
}

int log_parse_level(const char *s, enum log_level *ret)
{
	for (size_t i = 0; s && i < ARRAY_SIZE(level_names); i++)
		if (!strcmp(s, level_names[i])) {
			*ret = (enum log_level)i;
			return 0;
		}
	if (s && (!strcmp(s, "fatal") || !strcmp(s, "panic"))) {
		*ret = LOG_ERROR;
		return 0;
	}
	return -EINVAL;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	auto_buf struct buf line = BUF_INIT(LIMIT_LOG_LINE);
	char stamp[RFC3339_SIZE], text[4096];
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	(void)clock_rfc3339(clock_real_ns(), stamp);
	if (log_json) {
		struct jsonw w = JSONW_INIT(&line);

		jsonw_object(&w, NULL);
		jsonw_str(&w, "time", stamp);
		jsonw_str(&w, "level", level_names[level]);
		jsonw_str(&w, "program", log_program);
		jsonw_str(&w, "msg", text);
		jsonw_end_object(&w);
	} else {
		/* a newline in a foreign text must not forge a line of ours */
		for (char *p = text; *p; p++)
			if (*p == '\n' || *p == '\r')
				*p = ' ';
		(void)buf_printf(&line, "%s %s %s: %s", stamp, level_names[level], log_program,
				 text);
	}
	(void)buf_putc(&line, '\n');
	if (!buf_err(&line) && write(STDERR_FILENO, line.data, line.len) < 0)
		return; /* nowhere left to tell it */
}
