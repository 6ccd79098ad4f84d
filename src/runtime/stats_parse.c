/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats_parse.c - the kernel's files of figures; pure */

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "runtime/stats.h"

/* ---- words and lines ---- */

struct word {
	const char *s;
	size_t len;
};

/* The next word of the line at *@at, which moves behind it; false at the line's end. */
static bool word_next(const char **at, struct word *w)
{
	const char *p = *at + strspn(*at, " \t");

	w->s = p;
	w->len = strcspn(p, " \t\n");
	*at = p + w->len;
	return w->len > 0;
}

static const char *line_next(const char *p)
{
	p = strchr(p, '\n');
	return p && p[1] ? p + 1 : NULL;
}

static bool digits(const char *s, size_t len, uint64_t *ret)
{
	char text[24];

	if (!len || len >= sizeof(text))
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return parse_u64(text, ret) >= 0;
}

static bool number_next(const char **at, uint64_t *ret)
{
	struct word w;

	return word_next(at, &w) && digits(w.s, w.len, ret);
}

static void word_copy(const struct word *w, char *out, size_t room)
{
	size_t n = MIN(w->len, room - 1);

	memcpy(out, w->s, n);
	out[n] = '\0';
}

/* One more element of @size bytes in the array *@v of @n. NULL: out of memory. */
static void *grow(void **v, size_t n, size_t size)
{
	void *p = *v;

	if ((n & (n - 1)) == 0) { /* 0 and the powers of two are when it is full */
		p = reallocarray(*v, n ? n * 2 : 1, size);
		if (!p)
			return NULL;
		*v = p;
	}
	memset((char *)p + n * size, 0, size);
	return (char *)p + n * size;
}

/* ---- flat files ---- */

bool stats_value(const char *text, const char *key, uint64_t *ret)
{
	size_t len = strlen(key);

	for (const char *p = text; p; p = line_next(p)) {
		const char *at = p;
		struct word w;

		if (word_next(&at, &w) && w.len == len && !memcmp(w.s, key, len))
			return number_next(&at, ret);
	}
	return false;
}

uint64_t stats_number(const char *text)
{
	const char *at = text;
	struct word w;
	uint64_t n = 0;

	if (!word_next(&at, &w))
		return 0;
	if (w.len == 3 && !memcmp(w.s, "max", 3))
		return STAT_NO_LIMIT;
	return digits(w.s, w.len, &n) ? n : 0;
}

int stats_memory(const char *text, struct rt_stats *s)
{
	for (const char *p = text; p && s->n_memory_stat < STAT_MEMORY_MAX; p = line_next(p)) {
		struct stat_pair *pair;
		const char *at = p;
		struct word w;
		uint64_t n;

		if (!word_next(&at, &w) || !number_next(&at, &n))
			continue;
		pair = grow((void **)&s->memory_stat, s->n_memory_stat, sizeof(*pair));
		if (!pair)
			return -ENOMEM;
		s->n_memory_stat++;
		word_copy(&w, pair->name, sizeof(pair->name));
		pair->value = n;
	}
	return 0;
}

int stats_percpu(const char *text, struct stat_cpu *c)
{
	const char *at = text;
	uint64_t n;

	while (c->n_percpu < STAT_CPUS_MAX && number_next(&at, &n)) {
		uint64_t *v = grow((void **)&c->percpu, c->n_percpu, sizeof(*v));

		if (!v)
			return -ENOMEM;
		c->n_percpu++;
		*v = n;
	}
	return 0;
}

uint64_t stats_host_ticks(const char *text)
{
	/* user nice system idle iowait irq softirq */
	const char *at = text;
	uint64_t sum = 0, n;
	struct word w;

	if (!word_next(&at, &w) || w.len != 3 || memcmp(w.s, "cpu", 3) != 0)
		return 0;
	for (int i = 0; i < 7 && number_next(&at, &n); i++)
		sum += n;
	return sum;
}

/* ---- block devices ---- */

/* "8:16" */
static bool device(const struct word *w, uint64_t *major_no, uint64_t *minor_no)
{
	const char *colon = memchr(w->s, ':', w->len);
	size_t len = colon ? (size_t)(colon - w->s) : 0;

	return colon && digits(w->s, len, major_no) &&
	       digits(colon + 1, w->len - len - 1, minor_no);
}

static struct stat_io *io_add(struct stat_io **v, size_t *n, const struct stat_io *like)
{
	struct stat_io *io = grow((void **)v, *n, sizeof(*io));

	if (io) {
		*io = *like;
		(*n)++;
	}
	return io;
}

int stats_io_v1(const char *text, struct stat_io **ret, size_t *ret_n)
{
	for (const char *p = text; p && *ret_n < STAT_IO_MAX; p = line_next(p)) {
		struct stat_io io = {0};
		const char *at = p;
		struct word dev, op;

		/* the last line is the sum of all: "Total 8192" */
		if (!word_next(&at, &dev) || !device(&dev, &io.major, &io.minor) ||
		    !word_next(&at, &op) || !number_next(&at, &io.value))
			continue;
		word_copy(&op, io.op, sizeof(io.op));
		if (!io_add(ret, ret_n, &io))
			return -ENOMEM;
	}
	return 0;
}

static int io_v2_pair(struct rt_stats *s, const struct word *w, struct stat_io io)
{
	static const struct {
		const char *key, *op;
		bool bytes;
	} keys[] = {{"rbytes=", "read", true},
		    {"wbytes=", "write", true},
		    {"rios=", "read", false},
		    {"wios=", "write", false}};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t len = strlen(keys[i].key);
		struct stat_io *made;

		if (w->len <= len || memcmp(w->s, keys[i].key, len) != 0 ||
		    !digits(w->s + len, w->len - len, &io.value))
			continue;
		(void)snprintf(io.op, sizeof(io.op), "%s", keys[i].op);
		made = keys[i].bytes ? io_add(&s->io_bytes, &s->n_io_bytes, &io)
				     : io_add(&s->io_count, &s->n_io_count, &io);
		return made ? 0 : -ENOMEM;
	}
	return 0;
}

int stats_io_v2(const char *text, struct rt_stats *s)
{
	for (const char *p = text; p; p = line_next(p)) {
		struct stat_io io = {0};
		const char *at = p;
		struct word w;

		if (!word_next(&at, &w) || !device(&w, &io.major, &io.minor))
			continue;
		while (s->n_io_bytes < STAT_IO_MAX && s->n_io_count < STAT_IO_MAX &&
		       word_next(&at, &w))
			if (io_v2_pair(s, &w, io) < 0)
				return -ENOMEM;
	}
	return 0;
}

/* ---- network ---- */

/* "  eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop ..." */
static bool link_line(const char *p, struct stat_link *l)
{
	const char *colon = p + strcspn(p, ":\n"), *at = colon + 1;
	struct word name;
	uint64_t v[12];

	if (*colon != ':' || !word_next(&p, &name))
		return false;
	name.len = MIN(name.len, (size_t)(colon - name.s));
	for (size_t i = 0; i < ARRAY_SIZE(v); i++)
		if (!number_next(&at, &v[i]))
			return false;
	word_copy(&name, l->name, sizeof(l->name));
	l->rx_bytes = v[0];
	l->rx_packets = v[1];
	l->rx_errors = v[2];
	l->rx_dropped = v[3];
	l->tx_bytes = v[8];
	l->tx_packets = v[9];
	l->tx_errors = v[10];
	l->tx_dropped = v[11];
	return true;
}

int stats_links(const char *text, struct rt_stats *s)
{
	for (const char *p = text; p && s->n_links < STAT_LINKS_MAX; p = line_next(p)) {
		struct stat_link l = {0}, *made;

		if (!link_line(p, &l) || streq(l.name, "lo"))
			continue;
		made = grow((void **)&s->links, s->n_links, sizeof(*made));
		if (!made)
			return -ENOMEM;
		s->n_links++;
		*made = l;
	}
	return 0;
}
