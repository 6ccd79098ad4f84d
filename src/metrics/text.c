/* SPDX-License-Identifier: GPL-2.0-or-later */
/* text.c - Prometheus's text format */

#include "metrics/text.h"

#include <inttypes.h>

void text_metric(struct buf *out, const char *name, const char *type, const char *help)
{
	(void)buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void label_value(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\n')
			(void)buf_puts(out, "\\n");
		else if (*s == '"' || *s == '\\')
			(void)buf_printf(out, "\\%c", *s);
		else
			(void)buf_putc(out, *s);
	}
}

static void sample(struct buf *out, const char *name, const char *const *labels)
{
	(void)buf_puts(out, name);
	for (size_t i = 0; labels && labels[i]; i += 2) {
		(void)buf_printf(out, "%s%s=\"", i ? "," : "{", labels[i]);
		label_value(out, labels[i + 1]);
		(void)buf_putc(out, '"');
	}
	(void)buf_puts(out, labels && labels[0] ? "} " : " ");
}

void text_u64(struct buf *out, const char *name, const char *const *labels, uint64_t value)
{
	sample(out, name, labels);
	(void)buf_printf(out, "%" PRIu64 "\n", value);
}

void text_seconds(struct buf *out, const char *name, const char *const *labels, double value)
{
	sample(out, name, labels);
	(void)buf_printf(out, "%.9g\n", value);
}

void text_single(struct buf *out, const char *name, const char *type, const char *help,
		 uint64_t value)
{
	text_metric(out, name, type, help);
	text_u64(out, name, NULL, value);
}
