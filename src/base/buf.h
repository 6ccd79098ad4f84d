/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.h - a growing byte buffer with a maximum fixed at init; always NUL-terminated
 *
 * A failed append (limit or memory) sets the sticky @fail and drops further appends, so a writer
 * may append freely and check once with buf_err(). Not thread-safe; owned by one place.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"

struct buf {
	char *data; /* NULL until the first append; use buf_str() for text */
	size_t len;
	size_t cap;
	size_t max;
	int fail; /* 0, -ENOMEM or -ENOBUFS (over max) */
};

#define BUF_INIT(maximum) ((struct buf){.max = (maximum)})

void buf_done(struct buf *b);  /* frees the content; the struct is reusable with the same max */
void buf_clear(struct buf *b); /* length 0, memory and max kept, fail reset */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_puts(struct buf *b, const char *s);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes (n <= len) */
const char *buf_str(const struct buf *b);  /* never NULL */
char *
buf_take(struct buf *b); /* hands the text over (malloc'ed, NULL if fail); buf is empty after */
static inline int buf_err(const struct buf *b)
{
	return b->fail;
}

static inline void auto_buf_fn(struct buf *b)
{
	buf_done(b);
}
#define auto_buf __attribute__((cleanup(auto_buf_fn)))
