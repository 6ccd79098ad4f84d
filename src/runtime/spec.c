/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - a container as its bundle's config.json */

#include "runtime/spec.h"

#include <stdlib.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/caps.h"
#include "runtime/filters.h"

#define SPEC_MAX (32u << 20) /* env and args of a create body, and the devices of a big host */

static void write_annotations(struct jsonw *w, const struct spec *sp)
{
	const struct rt_spec *s = sp->s;
	const char *filter = sp->seccomp ? filter_find(sp->r, sp->seccomp, s->id) : NULL;
	auto_buf struct buf groups = BUF_INIT(SPEC_MAX);

	for (char *const *g = s->group_add; g && *g; g++)
		(void)buf_printf(&groups, "%s%s", groups.len ? "," : "", *g);
	jsonw_object(w, "annotations");
	jsonw_str(w, SPEC_GROUP_ADD, buf_str(&groups));
	if (filter)
		jsonw_str(w, SPEC_SECCOMP, filter);
	jsonw_end_object(w);
}

/* spec_exec_process() relies on this order: root, annotations and process before all else. */
static int write_spec(struct jsonw *w, const struct spec *sp, struct err *e)
{
	const struct rt_spec *s = sp->s;
	int r;

	jsonw_object(w, NULL);
	jsonw_str(w, "ociVersion", "1.0.2");
	jsonw_object(w, "root");
	jsonw_str(w, "path", s->rootfs);
	jsonw_bool(w, "readonly", s->readonly_rootfs);
	jsonw_end_object(w);
	write_annotations(w, sp);
	r = spec_process(w, sp, e);
	if (r < 0)
		return r;
	if (!str_empty(s->hostname) && !streq(s->uts_mode, "host"))
		jsonw_str(w, "hostname", s->hostname);
	r = spec_mounts(w, sp, e);
	if (r >= 0)
		r = spec_linux(w, sp, e);
	jsonw_end_object(w);
	return r;
}

static int save(const struct runtime *r, const char *id, const struct buf *text, struct err *e)
{
	auto_free char *dir = str_printf("%s/run/%s", r->exec_root, id);
	auto_free char *path = str_printf("%s/run/%s/config.json", r->exec_root, id);
	int n;

	if (!dir || !path)
		return err_nomem(e);
	n = fs_mkdir_p(dir, 0700);
	if (n >= 0)
		n = fs_write(path, text->data, text->len, 0600);
	return n < 0 ? err_sys(e, -n, "cannot write %s", path) : 0;
}

int rt_spec_write(struct runtime *r, const struct rt_spec *s, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SPEC_MAX), seccomp = BUF_INIT(SPEC_MAX);
	struct jsonw w = JSONW_INIT(&text);
	struct spec sp = {.r = r, .s = s};
	int n = caps_resolve(s->cap_add, s->cap_drop, s->privileged, &sp.caps, e);

	if (n >= 0)
		n = users_resolve(s->rootfs, s->user, s->group_add, &sp.ids, e);
	if (n < 0)
		return n;
	n = spec_seccomp(&sp, &seccomp, e);
	sp.seccomp = seccomp.len ? buf_str(&seccomp) : NULL;
	if (n >= 0)
		n = write_spec(&w, &sp, e);
	user_ids_done(&sp.ids);
	if (n < 0)
		return n;
	if (buf_err(&text))
		return err_sys(e, -buf_err(&text), "cannot write the spec of container %s", s->id);
	n = spec_make_cwd(s, e);
	return n < 0 ? n : save(r, s->id, &text, e);
}
