/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.c - a create body made whole: every known key of Config and HostConfig, typed, with defaults
 */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/life_internal.h"

/* Go's type of a field, for the check and for the error text. */
enum field_type {
	T_STR,	  /* string */
	T_BOOL,	  /* bool */
	T_INT,	  /* int64 */
	T_STRS,	  /* []string */
	T_CMD,	  /* strslice: a string or an array of strings */
	T_STRMAP, /* map[string]string */
	T_SET,	  /* map[string]struct {} */
	T_OBJ,	  /* an object checked elsewhere */
	T_ARR,	  /* an array checked elsewhere */
};

struct field {
	const char *key;
	enum field_type type;
	const char *absent; /* JSON shown and used when the client sends nothing */
};

static const struct field config_fields[] = {
	{"Hostname", T_STR, "\"\""},
	{"Domainname", T_STR, "\"\""},
	{"User", T_STR, "\"\""},
	{"AttachStdin", T_BOOL, "false"},
	{"AttachStdout", T_BOOL, "false"},
	{"AttachStderr", T_BOOL, "false"},
	{"ExposedPorts", T_SET, NULL},
	{"Tty", T_BOOL, "false"},
	{"OpenStdin", T_BOOL, "false"},
	{"StdinOnce", T_BOOL, "false"},
	{"Env", T_STRS, NULL},
	{"Cmd", T_CMD, "null"},
	{"Healthcheck", T_OBJ, NULL},
	{"ArgsEscaped", T_BOOL, NULL},
	{"Image", T_STR, "\"\""},
	{"Volumes", T_SET, "null"},
	{"WorkingDir", T_STR, "\"\""},
	{"Entrypoint", T_CMD, "null"},
	{"NetworkDisabled", T_BOOL, NULL},
	{"MacAddress", T_STR, NULL},
	{"OnBuild", T_STRS, "null"},
	{"Labels", T_STRMAP, "{}"},
	{"StopSignal", T_STR, NULL},
	{"StopTimeout", T_INT, NULL},
	{"Shell", T_CMD, NULL},
};

static const struct field host_fields[] = {
	{"Binds", T_STRS, "null"},
	{"ContainerIDFile", T_STR, "\"\""},
	{"LogConfig", T_OBJ, "{\"Type\":\"\",\"Config\":{}}"}, /* logging.c fills it */
	{"NetworkMode", T_STR, "\"default\""},
	{"PortBindings", T_OBJ, "{}"},
	{"RestartPolicy", T_OBJ, "{\"Name\":\"no\",\"MaximumRetryCount\":0}"},
	{"AutoRemove", T_BOOL, "false"},
	{"VolumeDriver", T_STR, "\"\""},
	{"VolumesFrom", T_STRS, "null"},
	{"ConsoleSize", T_ARR, "[0,0]"},
	{"Annotations", T_STRMAP, NULL},
	{"CapAdd", T_STRS, "null"},
	{"CapDrop", T_STRS, "null"},
	{"CgroupnsMode", T_STR, "\"\""},
	{"Dns", T_STRS, "[]"},
	{"DnsOptions", T_STRS, "[]"},
	{"DnsSearch", T_STRS, "[]"},
	{"ExtraHosts", T_STRS, "null"},
	{"GroupAdd", T_STRS, "null"},
	{"IpcMode", T_STR, "\"\""},
	{"Cgroup", T_STR, "\"\""},
	{"Links", T_STRS, "null"},
	{"OomScoreAdj", T_INT, "0"},
	{"PidMode", T_STR, "\"\""},
	{"Privileged", T_BOOL, "false"},
	{"PublishAllPorts", T_BOOL, "false"},
	{"ReadonlyRootfs", T_BOOL, "false"},
	{"SecurityOpt", T_STRS, "null"},
	{"StorageOpt", T_STRMAP, NULL},
	{"Tmpfs", T_STRMAP, NULL},
	{"UTSMode", T_STR, "\"\""},
	{"UsernsMode", T_STR, "\"\""},
	{"ShmSize", T_INT, "0"},
	{"Sysctls", T_STRMAP, NULL},
	{"Runtime", T_STR, "\"crun\""},
	{"Isolation", T_STR, "\"\""},
	{"CpuShares", T_INT, "0"},
	{"Memory", T_INT, "0"},
	{"NanoCpus", T_INT, "0"},
	{"CgroupParent", T_STR, "\"\""},
	{"BlkioWeight", T_INT, "0"},
	{"BlkioWeightDevice", T_ARR, "[]"},
	{"BlkioDeviceReadBps", T_ARR, "[]"},
	{"BlkioDeviceWriteBps", T_ARR, "[]"},
	{"BlkioDeviceReadIOps", T_ARR, "[]"},
	{"BlkioDeviceWriteIOps", T_ARR, "[]"},
	{"CpuPeriod", T_INT, "0"},
	{"CpuQuota", T_INT, "0"},
	{"CpuRealtimePeriod", T_INT, "0"},
	{"CpuRealtimeRuntime", T_INT, "0"},
	{"CpusetCpus", T_STR, "\"\""},
	{"CpusetMems", T_STR, "\"\""},
	{"Devices", T_ARR, "[]"},
	{"DeviceCgroupRules", T_STRS, "null"},
	{"DeviceRequests", T_ARR, "null"},
	{"MemoryReservation", T_INT, "0"},
	{"MemorySwap", T_INT, "0"},
	{"MemorySwappiness", T_INT, "null"},
	{"OomKillDisable", T_BOOL, "false"},
	{"PidsLimit", T_INT, "null"},
	{"Ulimits", T_ARR, "[]"},
	{"CpuCount", T_INT, "0"},
	{"CpuPercent", T_INT, "0"},
	{"IOMaximumIOps", T_INT, "0"},
	{"IOMaximumBandwidth", T_INT, "0"},
	{"Mounts", T_ARR, NULL},
	{"MaskedPaths", T_STRS, "null"},
	{"ReadonlyPaths", T_STRS, "null"},
	{"Init", T_BOOL, NULL},
};

const char *js(const json_t *obj, const char *key)
{
	const char *s = json_string_value(json_object_get(obj, key));

	return s ? s : "";
}

int64_t ji(const json_t *obj, const char *key)
{
	return json_integer_value(json_object_get(obj, key));
}

bool jb(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

json_t *jo(const json_t *obj, const char *key)
{
	json_t *v = json_object_get(obj, key);

	return json_is_object(v) || json_is_array(v) ? v : NULL;
}

char **jstrv(const json_t *obj, const char *key)
{
	json_t *arr = json_object_get(obj, key);
	char **v = NULL;
	size_t i;
	json_t *s;

	json_array_foreach(arr, i, s) if (json_is_string(s))(void)
		strv_add(&v, json_string_value(s)); /* OOM: a shorter list fails later */
	return v;
}

/* Reads one field by its type and gives the checked value as a new reference, or NULL if absent. */
static int field_read(const json_t *obj, const char *owner, const struct field *f, json_t **ret,
		      struct err *e)
{
	json_t *v = NULL;
	const char *s;
	bool b;
	int64_t i;
	int r = 0;

	switch (f->type) {
	case T_STR:
		r = json_get_str(obj, owner, f->key, &s, e);
		v = r >= 0 && s ? json_string(s) : NULL;
		break;
	case T_BOOL:
		r = json_get_bool(obj, owner, f->key, &b, e);
		v = r >= 0 && json_get(obj, f->key) ? json_boolean(b) : NULL;
		break;
	case T_INT:
		r = json_get_i64(obj, owner, f->key, &i, e);
		v = r >= 0 && json_get(obj, f->key) ? json_integer(i) : NULL;
		break;
	case T_STRS:
	case T_CMD: {
		auto_strv char **list = NULL;

		r = json_get_strv(obj, owner, f->key, f->type == T_CMD, &list, e);
		if (r < 0 || !json_get(obj, f->key))
			break;
		v = json_strings(list);
		break;
	}
	case T_STRMAP:
		r = json_get_strmap(obj, owner, f->key, &v, e);
		v = r >= 0 ? json_incref(v) : NULL;
		break;
	case T_SET:
	case T_OBJ:
		r = json_get_obj(obj, owner, f->key, &v, e);
		v = r >= 0 ? json_incref(v) : NULL;
		break;
	case T_ARR:
		r = json_get_arr(obj, owner, f->key, &v, e);
		v = r >= 0 ? json_incref(v) : NULL;
		break;
	}
	if (r < 0)
		return r;
	*ret = v;
	return 0;
}

static int fields_read(const json_t *obj, const char *owner, const struct field *table, size_t n,
		       json_t *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		json_t *v = NULL;
		int r = field_read(obj, owner, &table[i], &v, e);

		if (r < 0)
			return r;
		if (!v && table[i].absent)
			v = json_loads(table[i].absent, JSON_DECODE_ANY, NULL);
		if (v && json_object_set_new(out, table[i].key, v) < 0)
			return err_nomem(e);
	}
	return 0;
}

static bool env_names(const json_t *env, const char *name, size_t len)
{
	json_t *s;
	size_t i;

	json_array_foreach(env, i, s)
	{
		const char *text = json_string_value(s);

		if (text && strcspn(text, "=") == len && !strncmp(text, name, len))
			return true;
	}
	return false;
}

/* The container's variables, then those of the image that it does not name; "NAME" without "="
 * removes one, as in Docker. */
static json_t *env_merge(const json_t *image, const json_t *own)
{
	json_t *out = json_array(), *s;
	size_t i;

	json_array_foreach(own, i, s)
	{
		if (strchr(json_string_value(s), '='))
			(void)json_array_append(out, s);
	}
	json_array_foreach(image, i, s)
	{
		const char *text = json_string_value(s);

		if (text && !env_names(own, text, strcspn(text, "=")))
			(void)json_array_append(out, s);
	}
	return out;
}

static void set_from_image(json_t *config, const json_t *image, const char *key)
{
	json_t *mine = json_object_get(config, key), *theirs = json_object_get(image, key);

	if (!theirs || json_is_null(theirs))
		return;
	if (!mine || json_is_null(mine) || (json_is_string(mine) && !*json_string_value(mine)) ||
	    (json_is_array(mine) && !json_array_size(mine)))
		(void)json_object_set(config, key, theirs);
}

static void merge_objects(json_t *config, const json_t *image, const char *key)
{
	json_t *theirs = json_object_get(image, key), *mine = json_object_get(config, key);
	json_t *all;

	if (!json_is_object(theirs) || !json_object_size(theirs))
		return;
	all = json_copy(theirs);
	if (json_is_object(mine))
		(void)json_object_update(all, mine);
	(void)json_object_set_new(config, key, all);
}

/* What the image says where the client is silent. An own entrypoint drops the image's command. */
static void merge_image(json_t *config, const json_t *image)
{
	json_t *entry = json_object_get(config, "Entrypoint");
	bool own_entry = json_is_array(entry);

	(void)json_object_set_new(
		config, "Env",
		env_merge(json_object_get(image, "Env"), json_object_get(config, "Env")));
	if (!own_entry) {
		set_from_image(config, image, "Cmd");
		set_from_image(config, image, "Entrypoint");
	} else if (json_array_size(entry) == 0 ||
		   (json_array_size(entry) == 1 && !*json_string_value(json_array_get(entry, 0)))) {
		(void)json_object_set_new(config, "Entrypoint", json_null()); /* --entrypoint "" */
	}
	set_from_image(config, image, "WorkingDir");
	set_from_image(config, image, "User");
	set_from_image(config, image, "StopSignal");
	set_from_image(config, image, "Shell");
	merge_objects(config, image, "ExposedPorts");
	merge_objects(config, image, "Volumes");
	merge_objects(config, image, "Labels");
}

/* What clients send for "nothing", as inspect shows nothing. */
static void tidy(json_t *config, json_t *host)
{
	static const char *const maps[] = {"ExposedPorts", "Healthcheck"};
	json_t *pids = json_object_get(host, "PidsLimit");

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++)
		if (jo(config, maps[i]) && !json_object_size(jo(config, maps[i])))
			(void)json_object_del(config, maps[i]);
	if (!json_object_size(jo(config, "Volumes")))
		(void)json_object_set_new(config, "Volumes", json_null());
	if (json_is_integer(pids) && json_integer_value(pids) <= 0)
		(void)json_object_set_new(host, "PidsLimit", json_null());
}

int spec_normalise(const json_t *body, const json_t *image_config, json_t **ret_config,
		   json_t **ret_host, struct err *e)
{
	auto_json json_t *config = json_object(), *host = json_object(), *none = json_object();
	json_t *hc;
	int r;

	if (!json_is_object(body))
		return err_invalid(e, "invalid JSON: the body must be an object");
	r = fields_read(body, "ContainerConfigWrapper", config_fields, ARRAY_SIZE(config_fields),
			config, e);
	if (r < 0)
		return r;
	r = json_get_obj(body, "ContainerConfigWrapper", "HostConfig", &hc, e);
	if (r < 0)
		return r;
	r = fields_read(hc ? hc : none, "HostConfig", host_fields, ARRAY_SIZE(host_fields), host,
			e);
	if (r < 0)
		return r;
	if (image_config)
		merge_image(config, json_object_get(image_config, "config"));
	tidy(config, host);
	r = health_merge(config, image_config ? json_object_get(image_config, "config") : NULL, e);
	if (r < 0)
		return r;
	if (!*js(host, "NetworkMode"))
		(void)json_object_set_new(host, "NetworkMode", json_string("default"));
	if (!*js(host, "Runtime"))
		(void)json_object_set_new(host, "Runtime", json_string("crun"));
	if (!*js(jo(host, "RestartPolicy"), "Name"))
		(void)json_object_set_new(jo(host, "RestartPolicy"), "Name", json_string("no"));
	*ret_config = TAKE_PTR(config);
	*ret_host = TAKE_PTR(host);
	return 0;
}
