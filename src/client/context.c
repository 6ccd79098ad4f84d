/* SPDX-License-Identifier: GPL-2.0-or-later */
/* context.c - docker's contexts: see context.h */

#include "client/context.h"

#include <dirent.h>
#include <pwd.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/rand.h"
#include "base/str.h"

#define META_MAX (1u << 20)
#define PEM_MAX	 (1u << 20)

void context_done(struct context *c)
{
	free(c->name);
	free(c->description);
	free(c->host);
	free(c->ca);
	free(c->cert);
	free(c->key);
	*c = (struct context){0};
}

/* ---- paths ---- */

char *context_folder(void)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	const struct passwd *pw;

	if (!str_empty(dir))
		return strdup(dir);
	if (str_empty(home)) {
		pw = getpwuid(getuid());
		home = pw ? pw->pw_dir : "/";
	}
	return str_printf("%s/.docker", home);
}

static char *stored_at(const char *kind, const char *name)
{
	auto_free char *dir = context_folder();
	char hash[65];

	sha256_hex(name, strlen(name), hash);
	return dir ? str_printf("%s/contexts/%s/%s", dir, kind, hash) : NULL;
}

char *context_meta_path(const char *name)
{
	return stored_at("meta", name);
}

char *context_tls_path(const char *name)
{
	return stored_at("tls", name);
}

static char *config_path(void)
{
	auto_free char *dir = context_folder();

	return dir ? str_printf("%s/config.json", dir) : NULL;
}

/* ---- reading ---- */

/* An absent or empty file is {}. */
static int read_object(const char *path, json_t **ret, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(META_MAX);
	int r = fs_read(path, META_MAX, &text);

	if (r == -ENOENT || (r >= 0 && !text.len)) {
		*ret = json_object();
		return *ret ? 0 : err_nomem(e);
	}
	if (r < 0)
		return err_sys(e, -r, "cannot read %s", path);
	r = json_read(text.data, text.len, ret, e);
	if (r >= 0 && !json_is_object(*ret)) {
		json_decref(*ret);
		r = err_invalid(e, "it must be a JSON object");
	}
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

int context_current(char **ret, struct err *e)
{
	const char *host = getenv("DOCKER_HOST"), *ours = getenv("ATOLL_HOST");
	const char *said = getenv("DOCKER_CONTEXT");
	auto_free char *path = config_path();
	auto_json json_t *config = NULL;
	int r = path ? 0 : err_nomem(e);

	if (!str_empty(host) || !str_empty(ours))
		said = CONTEXT_DEFAULT;
	if (r >= 0 && str_empty(said)) {
		r = read_object(path, &config, e);
		said = json_string_value(json_get(config, "currentContext"));
	}
	if (r < 0)
		return r;
	*ret = strdup(str_empty(said) ? CONTEXT_DEFAULT : said);
	return *ret ? 0 : err_nomem(e);
}

static char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_get(o, key));

	return s ? strdup(s) : NULL;
}

/* The file's path, where there is such a file. */
static char *pem_of(const char *dir, const char *file)
{
	char *path = str_printf("%s/docker/%s", dir, file);

	if (path && !fs_exists(path)) {
		free(path);
		path = NULL;
	}
	return path;
}

int context_load(const char *name, struct context *ret, struct err *e)
{
	auto_free char *dir = context_meta_path(name), *tls = context_tls_path(name);
	auto_free char *path = dir ? str_printf("%s/meta.json", dir) : NULL;
	auto_json json_t *meta = NULL;
	const json_t *docker;
	int r;

	if (!path || !tls)
		return err_nomem(e);
	if (!fs_exists(path))
		return err_not_found(e, "context \"%s\": context not found", name);
	r = read_object(path, &meta, e);
	if (r < 0)
		return r;
	docker = json_get(json_get(meta, "Endpoints"), "docker");
	*ret = (struct context){.name = strdup(name),
				.description = text_of(json_get(meta, "Metadata"), "Description"),
				.host = text_of(docker, "Host"),
				.skip_verify = json_is_true(json_get(docker, "SkipTLSVerify")),
				.ca = pem_of(tls, "ca.pem"),
				.cert = pem_of(tls, "cert.pem"),
				.key = pem_of(tls, "key.pem")};
	return ret->name ? 0 : err_nomem(e);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_name(const char *dir, const char *entry, char ***list, struct err *e)
{
	auto_free char *path = str_printf("%s/%s/meta.json", dir, entry);
	auto_json json_t *meta = NULL;
	const char *name;
	int r = path ? 0 : err_nomem(e);

	if (r < 0 || *entry == '.' || !fs_exists(path))
		return r;
	r = read_object(path, &meta, e);
	name = json_string_value(json_get(meta, "Name"));
	if (r >= 0 && name && strv_add(list, name) < 0)
		r = err_nomem(e);
	return r;
}

int context_names(char ***ret, struct err *e)
{
	auto_free char *folder = context_folder();
	auto_free char *dir = folder ? str_printf("%s/contexts/meta", folder) : NULL;
	auto_strv char **list = NULL;
	struct dirent *de;
	DIR *d = dir ? opendir(dir) : NULL;
	int r = dir ? 0 : err_nomem(e);

	if (!d && r >= 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot read %s", dir);
	while (r >= 0 && d && (de = readdir(d)))
		r = add_name(dir, de->d_name, &list, e);
	if (d)
		(void)closedir(d);
	if (r < 0)
		return r;
	if (list)
		qsort(list, strv_len(list), sizeof(*list), by_text);
	*ret = TAKE_PTR(list);
	return 0;
}

/* ---- writing ---- */

int context_check_name(const char *name, struct err *e)
{
	static const char
		first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
		more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.+-";

	if (streq(name, CONTEXT_DEFAULT))
		return err_invalid(e, "\"default\" is a reserved context name");
	if (!*name || !name[1] || !strchr(first, *name) || name[strspn(name, more)])
		return err_invalid(e,
				   "context name \"%s\" is invalid, names are validated against "
				   "regexp \"^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$\"",
				   name);
	return 0;
}

static int write_json(const char *path, const json_t *j, mode_t mode, struct err *e)
{
	auto_free char *text = json_dumps(j, JSON_INDENT(8) | JSON_ENCODE_ANY);
	int r = text ? fs_write_atomic(path, text, strlen(text), mode) : -ENOMEM;

	return r < 0 ? err_sys(e, -r, "cannot write %s", path) : 0;
}

static int copy_pem(const char *from, const char *dir, const char *file, struct err *e)
{
	auto_buf struct buf pem = BUF_INIT(PEM_MAX);
	auto_free char *sub = str_printf("%s/docker", dir);
	auto_free char *path = str_printf("%s/docker/%s", dir, file);
	int r;

	if (!from)
		return 0;
	if (!path || !sub)
		return err_nomem(e);
	r = fs_read(from, PEM_MAX, &pem);
	if (r < 0)
		return err_sys(e, -r, "cannot read %s", from);
	r = fs_mkdir_p(sub, 0700);
	if (r >= 0)
		r = fs_write_atomic(path, pem.data, pem.len, 0600);
	return r < 0 ? err_sys(e, -r, "cannot write %s", path) : 0;
}

static json_t *meta_json(const struct context *c)
{
	return json_pack("{s:s, s:{s:s*}, s:{s:{s:s*, s:b}}}", "Name", c->name, "Metadata",
			 "Description", str_empty(c->description) ? NULL : c->description,
			 "Endpoints", "docker", "Host", c->host, "SkipTLSVerify", c->skip_verify);
}

int context_save(const struct context *c, struct err *e)
{
	auto_free char *dir = context_meta_path(c->name), *tls = context_tls_path(c->name);
	auto_free char *path = dir ? str_printf("%s/meta.json", dir) : NULL;
	auto_json json_t *meta = meta_json(c);
	int r = context_check_name(c->name, e);

	if (r >= 0 && (!path || !tls || !meta))
		r = err_nomem(e);
	if (r < 0)
		return r;
	if (fs_exists(path))
		return err_conflict(e, "context \"%s\" already exists", c->name);
	r = copy_pem(c->ca, tls, "ca.pem", e);
	if (r >= 0)
		r = copy_pem(c->cert, tls, "cert.pem", e);
	if (r >= 0)
		r = copy_pem(c->key, tls, "key.pem", e);
	if (r >= 0 && fs_mkdir_p(dir, 0755) < 0)
		r = err_sys(e, errno, "cannot make %s", dir);
	if (r >= 0)
		r = write_json(path, meta, 0644, e);
	if (r < 0 && (fs_rm_tree(tls) < 0 || fs_rm_tree(dir) < 0))
		(void)err_wrap(e, "something is left in %s", dir);
	return r;
}

int context_remove(const char *name, struct err *e)
{
	auto_free char *dir = context_meta_path(name), *tls = context_tls_path(name);
	int r = dir && tls ? 0 : err_nomem(e);

	if (r < 0)
		return r;
	if (!fs_exists(dir))
		return err_not_found(e, "context \"%s\": context not found", name);
	r = fs_rm_tree(tls); /* the key first */
	if (r >= 0)
		r = fs_rm_tree(dir);
	return r < 0 ? err_sys(e, -r, "cannot remove the context \"%s\"", name) : 0;
}

int context_use(const char *name, struct err *e)
{
	auto_free char *path = config_path(), *dir = context_folder();
	auto_json json_t *config = NULL;
	int r = path && dir ? read_object(path, &config, e) : err_nomem(e);

	if (r < 0)
		return r;
	if (streq(name, CONTEXT_DEFAULT))
		(void)json_object_del(config, "currentContext"); /* it may not be there */
	else if (json_object_set_new(config, "currentContext", json_string(name)) < 0)
		return err_nomem(e);
	r = fs_mkdir_p(dir, 0700);
	return r < 0 ? err_sys(e, -r, "cannot make %s", dir) : write_json(path, config, 0600, e);
}
