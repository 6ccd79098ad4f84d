/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_file.c - daemon.json: dockerd's keys, each at most in one place
 *
 * Texts as dockerd's: unknown keys, and keys that are given as a flag too, are refused all at once.
 */

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/options.h"

#define FILE_MAX_BYTES (1u << 20)

static const struct option *find_key(const char *key, size_t *ret_index)
{
	for (size_t i = 0; i < n_options; i++)
		if (streq(option_key(&options[i]), key)) {
			*ret_index = i;
			return &options[i];
		}
	return NULL;
}

/* As Go's %v shows a value: plain strings and numbers, [a b]. */
static void show_json(const json_t *v, struct buf *out)
{
	size_t i;
	json_t *one;

	switch (json_typeof(v)) {
	case JSON_STRING:
		(void)buf_puts(out, json_string_value(v));
		break;
	case JSON_INTEGER:
		(void)buf_printf(out, "%lld", (long long)json_integer_value(v));
		break;
	case JSON_ARRAY:
		(void)buf_putc(out, '[');
		json_array_foreach(v, i, one)
		{
			(void)buf_puts(out, i ? " " : "");
			show_json(one, out);
		}
		(void)buf_putc(out, ']');
		break;
	default: {
		auto_free char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);

		(void)buf_puts(out, text ? text : "");
	}
	}
}

static void show_given(const struct option *o, char *const *values, struct buf *out)
{
	bool list = o->kind == OPT_LIST || o->kind == OPT_POOL || o->kind == OPT_NETOPT ||
		    o->kind == OPT_LOGOPT;
	size_t n = strv_len(values);

	if (!list) { /* the last one counts */
		(void)buf_puts(out, n ? values[n - 1] : "");
		return;
	}
	for (size_t i = 0; i < n; i++)
		(void)buf_printf(out, "%s%s", i ? " " : "[", values[i]);
	(void)buf_putc(out, ']');
}

static int check_keys(const json_t *file, const struct given *g, struct err *e)
{
	auto_buf struct buf unknown = BUF_INIT(700), twice = BUF_INIT(700);
	const char *key;
	json_t *v;
	size_t at;

	json_object_foreach((json_t *)file, key, v)
	{
		const struct option *o = find_key(key, &at);

		if (!o) {
			(void)buf_printf(&unknown, "%s%s", unknown.len ? ", " : "", key);
		} else if (g->values[at]) {
			(void)buf_printf(&twice, "%s%s: (from flag: ", twice.len ? ", " : "", key);
			show_given(o, g->values[at], &twice);
			(void)buf_puts(&twice, ", from file: ");
			show_json(v, &twice);
			(void)buf_putc(&twice, ')');
		}
	}
	if (unknown.len)
		return err_invalid(e,
				   "the following directives don't match any configuration "
				   "option: %s",
				   buf_str(&unknown));
	if (twice.len)
		return err_invalid(e,
				   "the following directives are specified both as a flag and in "
				   "the configuration file: %s",
				   buf_str(&twice));
	return 0;
}

/* [{"base": "10.0.0.0/8", "size": 24}] */
static int read_pools(struct daemon_config *c, const struct option *o, const json_t *file,
		      struct err *e)
{
	json_t *list = NULL, *p;
	size_t i;
	int r = json_get_arr(file, "Config", option_key(o), &list, e);

	json_array_foreach(list, i, p)
	{
		auto_free char *text = NULL;
		const char *base = NULL;
		int64_t size = 0;

		if (r >= 0)
			r = json_get_str(p, "NetworkToSplit", "base", &base, e);
		if (r >= 0)
			r = json_get_i64(p, "NetworkToSplit", "size", &size, e);
		if (r < 0)
			return r;
		text = str_printf("base=%s,size=%lld", base ? base : "", (long long)size);
		r = text ? option_set(c, o, text, e) : err_nomem(e);
	}
	return r;
}

/* {"bridge": {"com.docker.network.driver.mtu": "1450"}} */
static int read_network_opts(struct daemon_config *c, const struct option *o, const json_t *file,
			     struct err *e)
{
	const char *driver, *key;
	json_t *all = NULL, *unused, *opts = NULL, *v;
	int r = json_get_obj(file, "Config", option_key(o), &all, e);

	json_object_foreach(all, driver, unused)
	{
		(void)unused;
		if (r >= 0)
			r = json_get_strmap(all, "default-network-opts", driver, &opts, e);
		json_object_foreach(r >= 0 ? opts : NULL, key, v)
		{
			auto_free char *text =
				str_printf("%s=%s=%s", driver, key, json_string_value(v));

			r = text ? option_set(c, o, text, e) : err_nomem(e);
			if (r < 0)
				break;
		}
	}
	return r;
}

/* {"http-proxy": "http://proxy:3128", "no-proxy": "localhost"}; a flag counts more */
static int read_proxies(struct daemon_config *c, const json_t *file, struct err *e)
{
	const struct {
		const char *key;
		char **to;
	} all[] = {{"http-proxy", &c->http_proxy},
		   {"https-proxy", &c->https_proxy},
		   {"no-proxy", &c->no_proxy}};
	json_t *p = NULL;
	int r = json_get_obj(file, "Config", "proxies", &p, e);

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(all); i++) {
		const char *v;

		r = json_get_str(p, "Proxies", all[i].key, &v, e);
		if (r >= 0 && v && !*all[i].to && str_set(all[i].to, v) < 0)
			r = err_nomem(e);
	}
	return r;
}

/* {"max-size": "10m"} */
static int read_log_opts(struct daemon_config *c, const struct option *o, const json_t *file,
			 struct err *e)
{
	json_t *all = NULL, *v;
	const char *key;
	int r = json_get_strmap(file, "Config", option_key(o), &all, e);

	json_object_foreach(r >= 0 ? all : NULL, key, v)
	{
		auto_free char *text = str_printf("%s=%s", key, json_string_value(v));

		r = text ? option_set(c, o, text, e) : err_nomem(e);
		if (r < 0)
			break;
	}
	return r;
}

static int read_list(struct daemon_config *c, const struct option *o, const json_t *file,
		     struct err *e)
{
	auto_strv char **list = NULL;
	int r = json_get_strv(file, "Config", option_key(o), false, &list, e);

	for (size_t i = 0; r >= 0 && list && list[i]; i++)
		r = option_set(c, o, list[i], e);
	return r;
}

static int read_text(struct daemon_config *c, const struct option *o, const json_t *file,
		     struct err *e)
{
	const char *s;
	int r = json_get_str(file, "Config", option_key(o), &s, e);

	return r < 0 || !s ? r : option_set(c, o, s, e);
}

static int read_number(struct daemon_config *c, const struct option *o, const json_t *file,
		       struct err *e)
{
	char text[24];
	int64_t n;
	int r = json_get_i64(file, "Config", option_key(o), &n, e);

	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%lld", (long long)n);
	return option_set(c, o, text, e);
}

static int read_one(struct daemon_config *c, const struct option *o, const json_t *file,
		    struct err *e)
{
	bool b;
	int r;

	if (!json_get(file, option_key(o)))
		return 0; /* null: not given */
	if (o->kind == OPT_POOL)
		return read_pools(c, o, file, e);
	if (o->kind == OPT_NETOPT)
		return read_network_opts(c, o, file, e);
	if (o->kind == OPT_PROXIES)
		return read_proxies(c, file, e);
	if (o->kind == OPT_LOGOPT)
		return read_log_opts(c, o, file, e);
	if (o->kind == OPT_LIST)
		return read_list(c, o, file, e);
	if (o->kind == OPT_U32)
		return read_number(c, o, file, e);
	if (o->kind == OPT_IGNORED || o->kind == OPT_REFUSED) /* whatever its type */
		return option_set(c, o, "", e);
	if (!option_is_bool(o))
		return read_text(c, o, file, e);
	r = json_get_bool(file, "Config", option_key(o), &b, e);
	return r < 0 ? r : option_set(c, o, b ? "true" : "false", e);
}

static int read_all(struct daemon_config *c, const struct given *g, const struct buf *text,
		    struct err *e)
{
	auto_json json_t *file = NULL;
	const char *key;
	json_t *v;
	size_t at;
	int r = json_read(buf_str(text), text->len, &file, e);

	if (r >= 0 && !json_is_object(file))
		r = err_invalid(e, "it must be a JSON object");
	if (r >= 0)
		r = check_keys(file, g, e);
	if (r < 0)
		return r;
	json_object_foreach(file, key, v)
	{
		const struct option *o = find_key(key, &at);

		r = read_one(c, o, file, e);
		if (r < 0)
			return o->kind == OPT_REFUSED || o->kind == OPT_REFUSED_BOOL
				       ? err_wrap(e, "%s", key)
				       : r;
	}
	return 0;
}

int config_file_read(struct daemon_config *c, const struct given *g, bool must, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(FILE_MAX_BYTES);
	int r = fs_read(c->config_file, FILE_MAX_BYTES, &text);

	if (r == -ENOENT && !must)
		return 0;
	if (r < 0)
		r = err_set(e, ERR_INVALID, -r, "open %s: %s", c->config_file,
			    r == -ENOENT ? "no such file or directory" : strerror(-r));
	else if (strspn(buf_str(&text), " \t\r\n") < text.len) /* an empty file says nothing */
		r = read_all(c, g, &text, e);
	return r < 0 ? err_wrap(e, "unable to configure the Docker daemon with file %s",
				c->config_file)
		     : 0;
}
