/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spec_exec.c - the process section of an exec: the container's own, with the exec's wishes over it
 *
 * Only the first sections of the bundle's config.json are parsed: root, annotations and
 * process, as rt_spec_write() orders them. jansson refuses 18446744073709551615, which is how an
 * unlimited rlimit stands there; it is read as -1 and written back.
 */

#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "runtime/caps.h"
#include "runtime/spec.h"

#define CONFIG_MAX (32u << 20)
#define UNLIMITED  "\":18446744073709551615"

/* "soft" and "hard" are keys: within a string the quote after the word would be escaped. */
static void unlimited_to_minus_one(char *text)
{
	static const char *const keys[] = {"soft" UNLIMITED, "hard" UNLIMITED};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (char *p = text; (p = strstr(p, keys[i])); p++) {
			char *number = p + strlen("soft\":");

			memset(number, ' ', strlen(keys[i]) - strlen("soft\":"));
			memcpy(number, "-1", 2);
		}
}

struct config {
	json_t *root, *annotations, *process;
};

static void config_done(struct config *c)
{
	json_decref(c->root);
	json_decref(c->annotations);
	json_decref(c->process);
}

static json_t *section(const char *text, const char *lead)
{
	const char *p = strstr(text, lead);

	return p ? json_loads(p + strlen(lead), JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

static int read_config(const struct runtime *r, const char *id, struct config *c, struct err *e)
{
	auto_free char *path = str_printf("%s/run/%s/config.json", r->exec_root, id);
	auto_buf struct buf text = BUF_INIT(CONFIG_MAX);
	int n = path ? fs_read(path, CONFIG_MAX, &text) : -ENOMEM;

	if (n < 0 || !text.data)
		return err_sys(e, n < 0 ? -n : EINVAL, "cannot read the spec of container %s", id);
	unlimited_to_minus_one(text.data);
	c->root = section(text.data, "\"root\":");
	c->annotations = section(text.data, "\"annotations\":");
	c->process = section(text.data, ",\"process\":");
	if (!json_is_object(c->root) || !json_is_object(c->process))
		return err_sys(e, EINVAL, "the spec of container %s is damaged", id);
	return 0;
}

static bool same_variable(const char *a, const char *b)
{
	size_t n = strcspn(a, "=");

	return n == strcspn(b, "=") && !strncmp(a, b, n);
}

/* The container's variables, those of the exec over them. HOME is the container's user's. */
static int merge_env(const json_t *process, char *const *own, char ***ret)
{
	json_t *v;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(process, "env"), i, v)
	{
		const char *var = json_string_value(v);
		bool over = !var || str_has_prefix(var, "HOME=");

		for (char *const *o = own; !over && o && *o; o++)
			over = same_variable(*o, var);
		if (!over && r >= 0)
			r = strv_add(ret, var);
	}
	for (; own && *own && r >= 0; own++)
		r = strv_add(ret, *own);
	return r;
}

static uint64_t caps_of(const json_t *process)
{
	const json_t *list = json_object_get(json_object_get(process, "capabilities"), "bounding");
	uint64_t caps = 0;
	json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
	{
		int n = json_is_string(v) ? cap_number(json_string_value(v)) : -1;

		caps |= n >= 0 ? CAP_BIT(n) : 0;
	}
	return caps;
}

static void copy_rlimits(struct jsonw *w, const json_t *process)
{
	json_t *l;
	size_t i;

	jsonw_array(w, "rlimits");
	json_array_foreach(json_object_get(process, "rlimits"), i, l)
	{
		jsonw_object(w, NULL);
		jsonw_str(w, "type", json_string_value(json_object_get(l, "type")));
		jsonw_u64(w, "soft", (uint64_t)json_integer_value(json_object_get(l, "soft")));
		jsonw_u64(w, "hard", (uint64_t)json_integer_value(json_object_get(l, "hard")));
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

/* Without a user of its own an exec is the container's; --group-add holds for both. */
static int exec_user(const struct rt_exec *x, const struct config *c, struct user_ids *ret,
		     struct err *e)
{
	const json_t *user = json_object_get(c->process, "user");
	const char *rootfs = json_string_value(json_object_get(c->root, "path"));
	const char *added = json_string_value(json_object_get(c->annotations, SPEC_GROUP_ADD));
	auto_strv char **groups = NULL;
	auto_free char *own = NULL;

	if (!rootfs)
		return err_sys(e, EINVAL, "the spec of container %s is damaged", x->id);
	if (!str_empty(added) && strv_split(added, ",", &groups) < 0)
		return err_nomem(e);
	if (!str_empty(x->user))
		return users_resolve(rootfs, x->user, groups, ret, e);
	own = str_printf("%lld:%lld", (long long)json_integer_value(json_object_get(user, "uid")),
			 (long long)json_integer_value(json_object_get(user, "gid")));
	if (!own)
		return err_nomem(e);
	return users_resolve(rootfs, own, groups, ret, e);
}

static void write_user(struct jsonw *w, const struct rt_exec *x, const json_t *process,
		       const struct user_ids *ids)
{
	if (str_empty(x->user))
		jsonw_json(w, "user", json_object_get(process, "user"));
	else
		process_user(w, ids);
}

static void write_process(struct jsonw *w, const struct rt_exec *x, const json_t *process,
			  const struct user_ids *ids, char *const *env)
{
	const json_t *nnp = json_object_get(process, "noNewPrivileges");
	const json_t *oom = json_object_get(process, "oomScoreAdj");
	const char *cwd = json_string_value(json_object_get(process, "cwd"));

	jsonw_object(w, NULL);
	jsonw_bool(w, "terminal", x->tty);
	write_user(w, x, process, ids);
	jsonw_strv(w, "args", x->args);
	(void)process_env(w, env, ids->home); /* the buffer's error is sticky */
	jsonw_str(w, "cwd", !str_empty(x->cwd) ? x->cwd : cwd ? cwd : "/");
	process_caps(w, x->privileged ? caps_available() : caps_of(process), ids->uid);
	copy_rlimits(w, process);
	jsonw_bool(w, "noNewPrivileges", json_is_true(nnp));
	jsonw_i64(w, "oomScoreAdj", json_integer_value(oom));
	jsonw_end_object(w);
}

static int compose(const struct rt_exec *x, const struct config *c, struct buf *out, struct err *e)
{
	auto_user_ids struct user_ids ids = {0};
	auto_strv char **env = NULL;
	struct jsonw w = JSONW_INIT(out);
	int r = exec_user(x, c, &ids, e);

	if (r < 0)
		return r;
	if (merge_env(c->process, x->env, &env) < 0)
		return err_nomem(e);
	write_process(&w, x, c->process, &ids, env);
	return buf_err(out) ? err_sys(e, -buf_err(out), "cannot write the process of an exec") : 0;
}

int spec_exec_process(struct runtime *r, const struct rt_exec *x, struct buf *out, struct err *e)
{
	struct config c = {0};
	int n = read_config(r, x->id, &c, e);

	if (n >= 0)
		n = compose(x, &c, out, e);
	config_done(&c);
	return n;
}
