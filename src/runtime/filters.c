/* SPDX-License-Identifier: GPL-2.0-or-later */
/* filters.c - see filters.h */

#include "runtime/filters.h"

#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/internal.h"

#define FILTERS_MAX 8						/* profiles in use at a time */
#define BYTES_MAX   (BPF_MAXINSNS * sizeof(struct sock_filter)) /* the kernel's limit */

struct filter {
	struct list node; /* used last: last */
	char *section;
	char *text;	     /* base64, NULL: not known yet */
	char id[ID_LEN + 1]; /* of the container to learn it from */
};

static void filter_free(struct filter *f)
{
	list_remove(&f->node);
	free(f->section);
	free(f->text);
	free(f);
}

void filters_drop(struct runtime *r)
{
	struct filter *f;

	list_for_each (f, &r->filters, node)
		filter_free(f);
	r->n_filters = 0;
}

static void remember(struct runtime *r, const char *section, const char *id)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		return;
	f->section = strdup(section);
	if (!f->section) {
		filter_free(f);
		return;
	}
	(void)snprintf(f->id, sizeof(f->id), "%s", id);
	if (r->n_filters == FILTERS_MAX)
		filter_free(list_entry(r->filters.next, struct filter, node));
	else
		r->n_filters++;
	list_append(&r->filters, &f->node);
}

const char *filter_find(struct runtime *r, const char *section, const char *id)
{
	struct filter *f;

	if (!r->is_crun || !list_linked(&r->filters)) /* of one that is not open nothing is kept */
		return NULL;
	list_for_each (f, &r->filters, node) {
		if (!streq(f->section, section))
			continue;
		list_remove(&f->node);
		list_append(&r->filters, &f->node);
		if (!f->text) /* the one that was to tell may have failed */
			(void)snprintf(f->id, sizeof(f->id), "%s", id);
		return f->text;
	}
	remember(r, section, id);
	return NULL;
}

void filter_learn(struct runtime *r, const char *id)
{
	struct filter *f;

	list_for_each (f, &r->filters, node) {
		auto_free char *path = NULL;
		auto_buf struct buf bytes = BUF_INIT(BYTES_MAX + 1), text = BUF_INIT(2 * BYTES_MAX);

		if (f->text || !streq(f->id, id))
			continue;
		path = str_printf("%s/%s/seccomp.bpf", r->root, id);
		if (!path || fs_read(path, BYTES_MAX, &bytes) < 0 || !bytes.len ||
		    bytes.len % sizeof(struct sock_filter))
			return; /* this version leaves none */
		base64_encode(&text, bytes.data, bytes.len, false);
		f->text = buf_take(&text);
		log_debug("a seccomp filter is kept bytes=%zu", bytes.len);
		return;
	}
}
