/* SPDX-License-Identifier: GPL-2.0-or-later */
/* logging.c - see logging.h */

#include "engine/logging.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"

#define LOCAL_SIZE   (20LL << 20) /* of local, where nothing is said */
#define LOCAL_FILES  5
#define BUFFER_BYTES (1LL << 20) /* of non-blocking, likewise */
#define ATTRS_MAX    (64u << 10)

static const char *const json_keys[] = {"max-file",  "max-size",     "compress",
					"labels",    "labels-regex", "env",
					"env-regex", "tag",	     NULL};
static const char *const local_keys[] = {"max-file", "max-size", "compress", NULL};

static const char *option(const json_t *options, const char *key)
{
	return json_string_value(json_get(options, key));
}

/* ---- numbers ---- */

/* go-units' FromHumanSize: "10m" is 10,000,000 */
static int parse_decimal(const char *s, int64_t *ret)
{
	static const char units[] = "kmgtp";
	size_t n = s ? strspn(s, "0123456789.") : 0;
	auto_free char *number = n ? strndup(s, n) : NULL;
	const char *u, *dot = number ? strchr(number, '.') : NULL;
	double value = 0, part = 1;

	if (!number || (dot && strchr(dot + 1, '.')) || *number == '.')
		return -EINVAL;
	for (const char *p = number; *p; p++) {
		if (*p == '.')
			continue;
		part /= dot && p > dot ? 10 : 1;
		value = dot && p > dot ? value + (*p - '0') * part : value * 10 + (*p - '0');
	}
	s += n + strspn(s + n, " ");
	u = *s ? strchr(units, tolower((unsigned char)*s)) : NULL;
	for (ssize_t i = 0; u && i <= u - units; i++)
		value *= 1000;
	s += u != NULL;
	s += tolower((unsigned char)*s) == 'b';
	if (*s || value > 9e18)
		return -EINVAL;
	*ret = (int64_t)value;
	return 0;
}

/* ---- checks of a create ---- */

static int check_mode(const json_t *options, struct err *e)
{
	const char *mode = option(options, "mode"), *size = option(options, "max-buffer-size");
	int64_t unused;

	if (!str_empty(mode) && !streq(mode, "blocking") && !streq(mode, "non-blocking"))
		return err_invalid(e, "logger: logging mode not supported: %s", mode);
	if (!size)
		return 0;
	if (!streq(mode, "non-blocking"))
		return err_invalid(e, "logger: max-buffer-size option is only supported with "
				      "'mode=non-blocking'");
	return parse_ram(size, &unused) < 0
		       ? err_invalid(e, "error parsing option max-buffer-size: invalid size: '%s'",
				     size)
		       : 0;
}

static bool is_builtin(const char *key)
{
	return streq(key, "mode") || streq(key, "max-buffer-size") || str_has_prefix(key, "cache-");
}

static bool among(const char *const *keys, const char *key)
{
	while (*keys && !streq(*keys, key))
		keys++;
	return *keys != NULL;
}

int logging_check(const char *driver, const json_t *options, struct err *e)
{
	bool json = streq(driver, "json-file");
	const char *key;
	json_t *v;
	int r;

	if (streq(driver, "none"))
		return 0;
	r = check_mode(options, e);
	if (r < 0)
		return r;
	if (!json && !streq(driver, "local"))
		return err_invalid(e, "logger: no log driver named '%s' is registered", driver);
	json_object_foreach((json_t *)(uintptr_t)options, key, v)
	{
		if (!json_is_string(v))
			return err_invalid(e, "json: cannot unmarshal value into Go struct field "
					      "LogConfig.Config of type string");
		if (is_builtin(key))
			continue;
		if (json && !among(json_keys, key))
			return err_invalid(e, "unknown log opt '%s' for json-file log driver", key);
		if (!json && !among(local_keys, key))
			return err_invalid(e, "unknown log opt '%s' for log driver local", key);
	}
	return 0;
}

int logging_merge(const struct daemon_config *config, json_t *host, struct err *e)
{
	const char *standard = config->log_driver ? config->log_driver : "json-file", *key;
	json_t *given = jo(host, "LogConfig"), *options, *v;
	auto_free char *driver = strdup(*js(given, "Type") ? js(given, "Type") : standard);
	json_t *merged;

	options = json_is_object(jo(given, "Config")) ? json_copy(jo(given, "Config"))
						      : json_object();
	if (driver && streq(driver, standard) && config->log_opts)
		json_object_foreach(config->log_opts, key, v) if (!json_object_get(options, key))(
			void) json_object_set(options, key, v);
	merged = driver ? json_pack("{s:s,s:o}", "Type", driver, "Config", options) : NULL;
	if (!merged || json_object_set_new(host, "LogConfig", merged) < 0)
		return err_nomem(e);
	return logging_check(driver, options, e);
}

/* ---- where it is ---- */

static const char *driver_of(const struct container *c)
{
	return js(jo(c->host_config, "LogConfig"), "Type");
}

bool logging_reads(const struct container *c)
{
	return !streq(driver_of(c), "none");
}

int container_log_path(const struct container *c, char **ret)
{
	char dir[4096];
	const char *in = storage_container_dir(c->en->storage, c->id, dir, sizeof(dir));

	*ret = streq(driver_of(c), "local") ? str_printf("%s/local-logs/container.log", in)
					    : str_printf("%s/%s-json.log", in, c->id);
	return *ret ? 0 : -ENOMEM;
}

void logging_migrate(struct container *c)
{
	char dir[4096];
	const char *in = storage_container_dir(c->en->storage, c->id, dir, sizeof(dir));
	auto_free char *old = str_printf("%s/%s.log", in, c->id);
	auto_free char *path = NULL;

	if (old && container_log_path(c, &path) >= 0 && fs_exists(old) && !fs_exists(path) &&
	    rename(old, path) < 0)
		log_warn("an old log stays where it was container=%s", c->name);
}

/* ---- attributes: labels, env, tag ---- */

static bool matches(const char *list, const regex_t *re, const char *key)
{
	size_t len = strlen(key);

	for (const char *p = list; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == len && !strncmp(p, key, len))
			return true;
	return re && regexec(re, key, 0, NULL, 0) == 0;
}

static int compile(const char *text, const char *name, regex_t *room, regex_t **ret, struct err *e)
{
	*ret = NULL;
	if (str_empty(text))
		return 0;
	if (regcomp(room, text, REG_EXTENDED | REG_NOSUB) != 0)
		return err_invalid(e, "failed to compile %s: %s", name, text);
	*ret = room;
	return 0;
}

/* Go templates of tag, those that Docker documents. */
static int tag_text(const struct container *c, const char *tag, struct buf *out, struct err *e)
{
	const struct {
		const char *word, *text;
		int len;
	} known[] = {{"{{.ID}}", c->id, 12},
		     {"{{.FullID}}", c->id, -1},
		     {"{{.Name}}", c->name, -1},
		     {"{{.ImageID}}",
		      c->image_id + (str_has_prefix(c->image_id, "sha256:") ? 7 : 0), 12},
		     {"{{.ImageFullID}}", c->image_id, -1},
		     {"{{.ImageName}}", js(c->config, "Image"), -1},
		     {"{{.DaemonName}}", "docker", -1}};

	while (*tag) {
		size_t i = 0;

		while (i < ARRAY_SIZE(known) && !str_has_prefix(tag, known[i].word))
			i++;
		if (i < ARRAY_SIZE(known)) {
			(void)buf_printf(out, "%.*s", known[i].len, known[i].text);
			tag += strlen(known[i].word);
		} else if (str_has_prefix(tag, "{{")) {
			return err_invalid(e, "template: log-tag: unknown field in \"%s\"", tag);
		} else {
			(void)buf_putc(out, *tag++);
		}
	}
	return 0;
}

static void add_labels(const struct container *c, json_t *out, const char *list, const regex_t *re)
{
	const char *key;
	json_t *v;

	json_object_foreach(jo(c->config, "Labels"), key, v) if (matches(list, re, key))(void)
		json_object_set(out, key, v);
}

static void add_env(const struct container *c, json_t *out, const char *list, const regex_t *re)
{
	auto_strv char **env = jstrv(c->config, "Env");

	for (size_t i = 0; env && env[i]; i++) {
		char *eq = strchr(env[i], '=');

		if (!eq)
			continue;
		*eq = '\0';
		if (matches(list, re, env[i]))
			(void)json_object_set_new(out, env[i], json_string(eq + 1));
	}
}

static int collect(const struct container *c, const json_t *o, json_t *out, struct err *e)
{
	auto_buf struct buf tag = BUF_INIT(ATTRS_MAX);
	regex_t room[2], *labels, *env = NULL;
	int r = compile(option(o, "labels-regex"), "labels-regex", &room[0], &labels, e);

	if (r >= 0)
		r = compile(option(o, "env-regex"), "env-regex", &room[1], &env, e);
	if (r >= 0) {
		add_labels(c, out, option(o, "labels"), labels);
		add_env(c, out, option(o, "env"), env);
	}
	if (r >= 0 && !str_empty(option(o, "tag"))) {
		r = tag_text(c, option(o, "tag"), &tag, e);
		(void)json_object_set_new(out, "tag", json_string(buf_str(&tag)));
	}
	if (labels)
		regfree(labels);
	if (env)
		regfree(env);
	return r;
}

/* The object as the shim puts it into each line, NULL where there is nothing to say. */
static int make_attrs(const struct container *c, const json_t *o, char **ret, struct err *e)
{
	auto_json json_t *all = json_object();
	auto_buf struct buf text = BUF_INIT(ATTRS_MAX);
	struct jsonw w = JSONW_INIT(&text);
	int r = all ? collect(c, o, all, e) : err_nomem(e);

	if (r < 0 || !json_object_size(all))
		return r;
	jsonw_json(&w, NULL, all);
	if (buf_err(&text))
		return err_invalid(e, "the labels, env and tag of a log line are too long");
	*ret = buf_take(&text);
	return *ret ? 0 : err_nomem(e);
}

/* ---- opening ---- */

static int file_count(const char *text, int64_t *ret, struct err *e)
{
	if (!text)
		return 0;
	if (parse_i64(text, ret) < 0)
		return err_invalid(e, "strconv.Atoi: parsing \"%s\": invalid syntax", text);
	return *ret < 1 ? err_invalid(e, "max-file cannot be less than 1") : 0;
}

static int file_size(const char *text, bool json, int64_t *ret, struct err *e)
{
	if (!text || streq(text, "-1"))
		return 0;
	if ((json ? parse_decimal(text, ret) : parse_ram(text, ret)) < 0)
		return err_invalid(e, "invalid size: '%s'", text);
	return *ret <= 0 ? err_invalid(e, "max-size must be a positive number") : 0;
}

static int no_compress(const json_t *o, const struct rt_log *l, struct err *e)
{
	const char *text = option(o, "compress");
	bool on = false;

	if (!text)
		return 0;
	if (parse_bool(text, &on) < 0)
		return err_invalid(e, "strconv.ParseBool: parsing \"%s\": invalid syntax", text);
	if (on && (l->max_files < 2 || !l->max_size))
		return err_invalid(e, "compress cannot be true when max-file is less than 2 or "
				      "max-size is not set");
	/* local's files are our own: nobody is promised that they are compressed */
	return on && l->json ? err_set(e, ERR_UNSUPPORTED, ENOTSUP,
				       "compress=true is not supported: rotated files stay as they "
				       "are")
			     : 0;
}

static int read_options(struct container *c, struct logging *l, struct err *e)
{
	const json_t *o = jo(jo(c->host_config, "LogConfig"), "Config");
	const char *buffer = option(o, "max-buffer-size");
	struct rt_log *log = &l->log;
	int r;

	log->json = streq(driver_of(c), "json-file");
	log->max_files = log->json ? 1 : LOCAL_FILES;
	log->max_size = log->json ? 0 : LOCAL_SIZE;
	r = file_count(option(o, "max-file"), &log->max_files, e);
	if (r >= 0)
		r = file_size(option(o, "max-size"), log->json, &log->max_size, e);
	if (r >= 0)
		r = no_compress(o, log, e);
	if (r >= 0 && log->json)
		r = make_attrs(c, o, &l->attrs, e);
	if (r >= 0 && streq(option(o, "mode"), "non-blocking")) {
		log->buffer = BUFFER_BYTES;
		if (buffer && parse_ram(buffer, &log->buffer) < 0)
			r = err_invalid(e, "invalid size: '%s'", buffer);
	}
	log->attrs = l->attrs;
	return r;
}

int container_log_folder(const struct container *c, const char *path)
{
	auto_free char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return -ENOMEM;
	*slash = '\0';
	return streq(driver_of(c), "local") ? fs_mkdir_p(dir, 0710) : 0;
}

int logging_open(struct container *c, struct logging *ret, struct err *e)
{
	int r;

	*ret = (struct logging){0};
	if (!logging_reads(c))
		return 0;
	r = read_options(c, ret, e);
	if (r >= 0 && container_log_path(c, &ret->path) < 0)
		r = err_nomem(e);
	if (r >= 0) {
		int made = container_log_folder(c, ret->path);

		r = made < 0 ? err_sys(e, -made, "%s", ret->path) : 0;
	}
	ret->log.path = ret->path;
	if (r >= 0)
		return 0;
	logging_done(ret);
	return err_wrap(e,
			"failed to create task for container: failed to initialize logging driver");
}

void logging_done(struct logging *l)
{
	free(l->path);
	free(l->attrs);
	*l = (struct logging){0};
}
