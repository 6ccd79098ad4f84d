/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err.c - filling and wrapping errors */

#include "base/err.h"

#include <string.h>

#undef err_set /* the analyzer's */
#undef err_sys
#undef err_wrap

PRINTF(4, 0)
static int fill(struct err *e, enum err_kind kind, int eno, const char *fmt, va_list ap)
{
	eno = eno > 0 ? eno : EIO;
	if (e) {
		e->code = -eno;
		e->kind = kind;
		(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	}
	return -eno;
}

int err_set(struct err *e, enum err_kind kind, int eno, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = fill(e, kind, eno, fmt, ap);
	va_end(ap);
	return r;
}

int err_sys(struct err *e, int eno, const char *fmt, ...)
{
	va_list ap;
	size_t len;
	int r;

	va_start(ap, fmt);
	r = fill(e, ERR_INTERNAL, eno, fmt, ap);
	va_end(ap);
	if (e) {
		len = strlen(e->msg);
		(void)snprintf(e->msg + len, sizeof(e->msg) - len, ": %s", strerror(-r));
	}
	return r;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char old[sizeof(e->msg)];
	va_list ap;
	size_t len;

	if (!e)
		return -EIO;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	len = strlen(e->msg);
	(void)snprintf(e->msg + len, sizeof(e->msg) - len, ": %s", old);
	return e->code ? e->code : -EIO;
}
