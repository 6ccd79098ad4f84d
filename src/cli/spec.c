/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - the small languages of options: --mount, --ulimit, --device, --cpus, ... */

#include <string.h>
#include <strings.h>

#include "cli/create.h"

/* ---- csv ---- */

int csv_split(const char *s, char ***ret)
{
	auto_strv char **out = NULL;

	for (;;) {
		auto_buf struct buf field = BUF_INIT(1u << 20);
		bool quoted = *s == '"';

		for (s += quoted; *s && (quoted || *s != ','); s++) {
			if (quoted && *s == '"' && s[1] != '"')
				break;
			s += quoted && *s == '"';
			(void)buf_putc(&field, *s);
		}
		if (quoted && (*s != '"' || (s[1] && s[1] != ',')))
			return -EINVAL;
		s += quoted;
		list_add(&out, buf_str(&field));
		if (!*s)
			break;
		s++;
	}
	*ret = TAKE_PTR(out);
	return 0;
}

/* ---- paths ---- */

/* Without ".", ".." and double slashes; @s begins with '/'. */
static char *clean(const char *s)
{
	auto_buf struct buf b = BUF_INIT(1u << 16);

	while (*s) {
		size_t n;

		s += strspn(s, "/");
		n = strcspn(s, "/");
		if (n == 2 && !strncmp(s, "..", 2)) {
			while (b.len && b.data[b.len - 1] != '/')
				b.data[--b.len] = '\0';
			if (b.len)
				b.data[--b.len] = '\0';
		} else if (n && !(n == 1 && *s == '.')) {
			(void)buf_putc(&b, '/');
			(void)buf_add(&b, s, n);
		}
		s += n;
	}
	return need(strdup(b.len ? buf_str(&b) : "/"));
}

char *absolute_path(const char *s)
{
	auto_free char *cwd = NULL, *full = NULL;

	if (!streq(s, ".") && !streq(s, "..") && !str_has_prefix(s, "./") &&
	    !str_has_prefix(s, "../"))
		return need(strdup(s));
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return need(strdup(s));
	full = need(str_printf("%s/%s", cwd, s));
	return clean(full);
}

/* ---- --mount ---- */

struct mount {
	const char *type, *source, *target, *propagation, *driver, *subpath, *size, *mode;
	bool read_only, no_copy, non_recursive, create;
	char **labels, **options; /* key=value */
};

static void mount_done(struct mount *m)
{
	strv_free(m->labels);
	strv_free(m->options);
}

/* A key without a value: the switches. */
static int mount_switch(struct mount *m, const char *key, const char *value, struct err *e)
{
	bool b = true;

	if (value && parse_bool(value, &b) < 0)
		return err_invalid(e, "invalid value for %s: %s", key, value);
	if (!strcasecmp(key, "readonly") || !strcasecmp(key, "ro"))
		m->read_only = b;
	else if (!strcasecmp(key, "volume-nocopy"))
		m->no_copy = b;
	else if (!strcasecmp(key, "bind-nonrecursive"))
		m->non_recursive = b;
	else if (!strcasecmp(key, "bind-create-src"))
		m->create = b;
	else
		return value ? err_invalid(e, "unexpected key '%s' in '%s=%s'", key, key, value)
			     : err_invalid(e, "invalid field '%s' must be a key=value pair", key);
	return 0;
}

static int mount_key(struct mount *m, const char *key, char *value, struct err *e)
{
	const struct {
		const char *key;
		const char **at;
	} texts[] = {
		{"type", &m->type},
		{"source", &m->source},
		{"src", &m->source},
		{"target", &m->target},
		{"dst", &m->target},
		{"destination", &m->target},
		{"bind-propagation", &m->propagation},
		{"volume-driver", &m->driver},
		{"volume-subpath", &m->subpath},
		{"tmpfs-size", &m->size},
		{"tmpfs-mode", &m->mode},
	};

	for (size_t i = 0; value && i < ARRAY_SIZE(texts); i++) {
		if (!strcasecmp(key, texts[i].key)) {
			*texts[i].at = value;
			return 0;
		}
	}
	if (value && !strcasecmp(key, "volume-label"))
		list_add(&m->labels, value);
	else if (value && !strcasecmp(key, "volume-opt"))
		list_add(&m->options, value);
	else
		return mount_switch(m, key, value, e);
	return 0;
}

static int octal(const char *s, unsigned *ret)
{
	unsigned v = 0;

	if (!*s || strspn(s, "01234567") != strlen(s) || strlen(s) > 5)
		return -EINVAL;
	for (; *s; s++)
		v = v * 8 + (unsigned)(*s - '0');
	*ret = v;
	return 0;
}

static int mount_sense(const struct mount *m, struct err *e)
{
	int64_t size;
	unsigned mode;

	if (!*m->type)
		return err_invalid(e, "type is required");
	if (!m->target || !*m->target)
		return err_invalid(e, "target is required");
	if (!streq(m->type, "volume") && !streq(m->type, "bind") && !streq(m->type, "tmpfs"))
		return err_invalid(e, "mount type '%s' is not supported: bind, volume or tmpfs",
				   m->type);
	if ((m->driver || m->subpath || m->no_copy || m->labels || m->options) &&
	    !streq(m->type, "volume"))
		return err_invalid(e, "cannot mix 'volume-*' options with mount type '%s'",
				   m->type);
	if ((m->propagation || m->non_recursive || m->create) && !streq(m->type, "bind"))
		return err_invalid(e, "cannot mix 'bind-*' options with mount type '%s'", m->type);
	if ((m->size || m->mode) && !streq(m->type, "tmpfs"))
		return err_invalid(e, "cannot mix 'tmpfs-*' options with mount type '%s'", m->type);
	if (m->size && parse_ram(m->size, &size) < 0)
		return err_invalid(e, "invalid value for tmpfs-size: %s", m->size);
	if (m->mode && octal(m->mode, &mode) < 0)
		return err_invalid(e, "invalid value for tmpfs-mode: %s", m->mode);
	return 0;
}

/* @fields is changed, and borrowed by @m. */
static int mount_parse(char **fields, struct mount *m, struct err *e)
{
	*m = (struct mount){.type = "volume"};
	for (; *fields; fields++) {
		char *value = strchr(*fields, '=');
		int r;

		if (value)
			*value++ = '\0';
		r = mount_key(m, *fields, value, e);
		if (r < 0)
			return r;
	}
	return mount_sense(m, e);
}

int check_mount(const char *value, struct err *e)
{
	auto_strv char **fields = NULL;
	struct mount m = {0};
	int r;

	if (csv_split(value, &fields) < 0)
		return err_invalid(e, "parse error: a quote does not close");
	r = mount_parse(fields, &m, e);
	mount_done(&m);
	return r;
}

/* "a=b" texts as {"a":"b"}, without their own file's help: the last of a key wins in JSON too */
static void texts_object(struct jsonw *w, const char *key, char **texts)
{
	jsonw_object(w, key);
	for (; texts && *texts; texts++) {
		char *eq = strchr(*texts, '=');

		if (eq)
			*eq = '\0';
		jsonw_str(w, *texts, eq ? eq + 1 : "");
	}
	jsonw_end_object(w);
}

static void volume_options(struct jsonw *w, const struct mount *m)
{
	jsonw_object(w, "VolumeOptions");
	jsonw_bool(w, "NoCopy", m->no_copy);
	if (m->labels)
		texts_object(w, "Labels", m->labels);
	if (m->subpath)
		jsonw_str(w, "Subpath", m->subpath);
	if (m->driver || m->options) {
		jsonw_object(w, "DriverConfig");
		jsonw_str(w, "Name", m->driver);
		texts_object(w, "Options", m->options);
		jsonw_end_object(w);
	}
	jsonw_end_object(w);
}

static void bind_options(struct jsonw *w, const struct mount *m)
{
	jsonw_object(w, "BindOptions");
	if (m->propagation)
		jsonw_str(w, "Propagation", m->propagation);
	if (m->non_recursive)
		jsonw_bool(w, "NonRecursive", true);
	if (m->create)
		jsonw_bool(w, "CreateMountpoint", true);
	jsonw_end_object(w);
}

static void tmpfs_options(struct jsonw *w, const struct mount *m)
{
	int64_t size = 0;
	unsigned mode = 0;

	jsonw_object(w, "TmpfsOptions");
	if (m->size && parse_ram(m->size, &size) >= 0)
		jsonw_i64(w, "SizeBytes", size);
	if (m->mode && octal(m->mode, &mode) >= 0)
		jsonw_i64(w, "Mode", mode);
	jsonw_end_object(w);
}

void mount_object(struct jsonw *w, const char *value)
{
	auto_strv char **fields = NULL;
	struct mount m = {0};

	if (csv_split(value, &fields) < 0 || mount_parse(fields, &m, NULL) < 0) {
		mount_done(&m);
		return; /* check_mount() has refused it before */
	}
	jsonw_object(w, NULL);
	jsonw_str(w, "Type", m.type);
	if (m.source) {
		auto_free char *source = streq(m.type, "bind") ? absolute_path(m.source)
							       : need(strdup(m.source));

		jsonw_str(w, "Source", source);
	}
	jsonw_str(w, "Target", m.target);
	if (m.read_only)
		jsonw_bool(w, "ReadOnly", true);
	if (streq(m.type, "volume") &&
	    (m.no_copy || m.labels || m.subpath || m.driver || m.options))
		volume_options(w, &m);
	if (m.propagation || m.non_recursive || m.create)
		bind_options(w, &m);
	if (m.size || m.mode)
		tmpfs_options(w, &m);
	jsonw_end_object(w);
	mount_done(&m);
}

/* ---- --ulimit name=soft[:hard] ---- */

static int ulimit_parse(const char *value, char **ret_name, int64_t *soft, int64_t *hard)
{
	const char *eq = strchr(value, '='), *colon = eq ? strchr(eq, ':') : NULL;
	auto_free char *first = NULL;

	if (!eq || eq == value)
		return -EINVAL;
	first = need(colon ? strndup(eq + 1, (size_t)(colon - eq - 1)) : strdup(eq + 1));
	if (parse_i64(first, soft) < 0)
		return -EINVAL;
	*hard = *soft;
	if (colon && parse_i64(colon + 1, hard) < 0)
		return -EINVAL;
	*ret_name = need(strndup(value, (size_t)(eq - value)));
	return 0;
}

int check_ulimit(const char *value, struct err *e)
{
	auto_free char *name = NULL;
	int64_t soft, hard;

	if (ulimit_parse(value, &name, &soft, &hard) < 0)
		return err_invalid(e, "invalid ulimit argument: %s", value);
	if (soft > hard && hard != -1)
		return err_invalid(e,
				   "ulimit soft limit must be less than or equal to hard limit: "
				   "%lld > %lld",
				   (long long)soft, (long long)hard);
	return 0;
}

void ulimit_object(struct jsonw *w, const char *value)
{
	auto_free char *name = NULL;
	int64_t soft, hard;

	if (ulimit_parse(value, &name, &soft, &hard) < 0)
		return;
	jsonw_object(w, NULL);
	jsonw_str(w, "Name", name);
	jsonw_i64(w, "Hard", hard);
	jsonw_i64(w, "Soft", soft);
	jsonw_end_object(w);
}

/* ---- --device host[:container][:permissions] ---- */

static bool permissions(const char *s)
{
	return *s && strspn(s, "rwm") == strlen(s);
}

int check_device(const char *value, struct err *e)
{
	auto_strv char **part = NULL;
	size_t n;

	if (strv_split(value, ":", &part) < 0)
		cli_no_memory();
	n = strv_len(part);
	if (!*part[0] || n > 3 || (n > 1 && !*part[1]) || (n == 3 && !permissions(part[2])))
		return err_invalid(e, "bad format for path: %s", value);
	return 0;
}

void device_object(struct jsonw *w, const char *value)
{
	auto_strv char **part = NULL;
	const char *inner, *mode = "rwm";

	if (strv_split(value, ":", &part) < 0)
		cli_no_memory();
	inner = part[0];
	if (strv_len(part) == 2 && permissions(part[1]))
		mode = part[1];
	else if (strv_len(part) > 1)
		inner = part[1];
	if (strv_len(part) == 3)
		mode = part[2];
	jsonw_object(w, NULL);
	jsonw_str(w, "PathOnHost", part[0]);
	jsonw_str(w, "PathInContainer", inner);
	jsonw_str(w, "CgroupPermissions", mode);
	jsonw_end_object(w);
}

/* ---- --cpus 1.5 ---- */

static int cpus_parse(const char *s, int64_t *ret_nano)
{
	int64_t whole = 0, nano = 0, scale = 100000000;
	size_t n = strspn(s, "0123456789");

	if (n > 9 || (!n && *s != '.'))
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		whole = whole * 10 + (s[i] - '0');
	s += n;
	if (*s == '.') {
		n = strspn(++s, "0123456789");
		if (!n || n > 9)
			return -EINVAL;
		for (; *s >= '0' && *s <= '9'; s++, scale /= 10)
			nano += (*s - '0') * scale;
	}
	if (*s)
		return -EINVAL;
	*ret_nano = whole * 1000000000 + nano;
	return 0;
}

int check_cpus(const char *value, struct err *e)
{
	int64_t nano;

	return cpus_parse(value, &nano) < 0
		       ? err_invalid(e, "failed to parse %s as a rational number", value)
		       : 0;
}

int64_t cpus_nano(const char *value)
{
	int64_t nano = 0;

	return value && cpus_parse(value, &nano) >= 0 ? nano : 0;
}

/* ---- others ---- */

int check_attach(const char *value, struct err *e)
{
	if (!strcasecmp(value, "stdin") || !strcasecmp(value, "stdout") ||
	    !strcasecmp(value, "stderr"))
		return 0;
	return err_invalid(e, "valid streams are STDIN, STDOUT and STDERR");
}

int check_host_entry(const char *value, struct err *e)
{
	const char *sep = strpbrk(value, ":=");

	if (!sep || sep == value || !sep[1])
		return err_invalid(e, "bad format for add-host: \"%s\"", value);
	return 0;
}
