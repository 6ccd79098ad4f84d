/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mounts.c - Binds, Mounts, Volumes and Tmpfs of a create; volumes with their rows */

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/mounts.h"
#include "tap.h"
#include "world.h"

static struct world w;

static void refused(void)
{
	static const struct {
		const char *host, *text; /* a part of the message */
	} rows[] = {
		{"{\"Binds\": [\"relative/path:/x\"]}",
		 "create relative/path: \"relative/path\" includes invalid characters for a local "
		 "volume name"},
		{"{\"Binds\": [\"/tmp:relative\"]}",
		 "invalid mount path: 'relative' mount path must be absolute"},
		{"{\"Binds\": [\"/tmp:/b:nonsense\"]}", "invalid mode: nonsense"},
		{"{\"Binds\": [\"/tmp:/\"]}", "destination can't be '/'"},
		{"{\"Binds\": [\"a:b:c:d\"]}", "invalid volume specification: 'a:b:c:d'"},
		{"{\"Binds\": [\":/x\"]}", "invalid volume specification: ':/x'"},
		{"{\"Binds\": [\"/tmp:/x/..\"]}", "destination can't be '/'"},
		{"{\"Binds\": [\"/tmp:/x:ro,rw\"]}", "invalid mode: ro,rw"},
		{"{\"Binds\": [\"/tmp:ro\"]}", "invalid volume specification: '/tmp:ro'"},
		{"{\"Binds\": [\"name:/x:rslave\"]}", "field BindOptions must not be specified"},
		{"{\"Binds\": [\"/tmp:/x:nocopy\"]}", "field VolumeOptions must not be specified"},
		{"{\"Binds\": [\"/tmp:/a\", \"/var:/a/\"]}", "Duplicate mount point: /a"},
		{"{\"Mounts\": [7]}", "type mount.Mount"},
		{"{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/tmp\"}]}",
		 "field Target must not be empty"},
		{"{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"tmp\", \"Target\": \"/t\"}]}",
		 "invalid mount path: 'tmp' mount path must be absolute"},
		{"{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/nonexistent/x\", \"Target\": "
		 "\"/t\"}]}",
		 "bind source path does not exist: /nonexistent/x"},
		{"{\"Mounts\": [{\"Type\": \"npipe\", \"Target\": \"/t\"}]}", "mount type unknown"},
		{"{\"Mounts\": [{\"Type\": \"tmpfs\", \"Source\": \"x\", \"Target\": \"/t\"}]}",
		 "field Source must not be specified"},
		{"{\"Mounts\": [{\"Type\": \"volume\", \"Source\": \"../up\", \"Target\": "
		 "\"/t\"}]}",
		 "create ../up: \"../up\" includes invalid characters"},
		{"{\"Tmpfs\": {\"relative\": \"\"}}", "mount path must be absolute"},
		{"{\"Tmpfs\": {\"/t\": \"what\"}}", "invalid tmpfs option [\"what\"]"},
		{"{\"Tmpfs\": {\"/t\": \"\"}, \"Binds\": [\"/tmp:/t\"]}",
		 "Duplicate mount point: /t"},
		{"{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"\", \"Target\": \"/t\"}]}",
		 "field Source must not be empty"},
		{"{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/tmp\", \"Target\": \"/t\", "
		 "\"BindOptions\": {\"Propagation\": \"what\"}}]}",
		 "invalid propagation mode: what"},
		{"{\"Mounts\": [{\"Type\": \"tmpfs\", \"Target\": \"/t\", \"VolumeOptions\": {}}]}",
		 "invalid mount config for type \"tmpfs\": field VolumeOptions must not be"},
		{"{\"Mounts\": [{\"Type\": \"tmpfs\", \"Target\": \"/t\", \"TmpfsOptions\": "
		 "{\"Options\": [[\"suid\"]]}}]}",
		 "invalid option: suid"},
		{"{\"Mounts\": [{\"Type\": \"volume\", \"Source\": \"vv\", \"Target\": \"/t\", "
		 "\"VolumeOptions\": {\"Subpath\": \"a/../../b\"}}]}",
		 "subpath must be a relative path within the volume"},
		{"{\"VolumesFrom\": [\"nobody\"]}", "No such container: nobody"},
		{"{\"VolumesFrom\": [\"\"]}", "cannot be an empty string"},
		{"{\"VolumesFrom\": [\"bad:nocopy\"]}", "invalid mode: nocopy"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct container *c = world_container(&w, "bad", "{}", rows[i].host);
		struct err e = {0};
		int r = mounts_resolve(c, NULL, NULL, &e);

		ok(r < 0 && e.kind == ERR_INVALID && strstr(e.msg, rows[i].text), "%s",
		   rows[i].host);
		if (r >= 0 || !strstr(e.msg, rows[i].text))
			printf("# got %d \"%s\"\n", r, e.msg);
		container_unlink(c);
		container_free(c);
	}
}

static void paths(void)
{
	static const struct {
		const char *given, *want; /* NULL: refused */
	} rows[] = {{"/", "/"},		{"//a///b/", "/a/b"}, {"/a/./b", "/a/b"},
		    {"/a/../b", "/b"},	{"/../..", "/"},      {"/a/b/..", "/a"},
		    {"relative", NULL}, {"", NULL},	      {"/a/..b/...", "/a/..b/..."}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *got = NULL;

		(void)mount_path_clean(rows[i].given, &got);
		is_str(got, rows[i].want, "path '%s'", rows[i].given);
	}
}

static void modes_of_binds(void)
{
	struct mount_mode m;

	is_int(mount_mode_parse("", &m), 0, "no mode");
	ok(!m.ro && !m.nocopy && !m.propagation, "means nothing");
	is_int(mount_mode_parse("ro,z,nocopy,cached,rshared", &m), 0, "one word of each kind");
	ok(m.ro && m.nocopy && streq(m.propagation, "rshared"), "all of it");
	is_int(mount_mode_parse("z,Z", &m), -EINVAL, "two labels");
	is_int(mount_mode_parse("cached,delegated", &m), -EINVAL, "two consistencies");
	is_int(mount_mode_parse("ro,", &m), -EINVAL, "an empty word");
}

static void options_of_volumes(void)
{
	static const struct {
		const char *options, *text; /* NULL: fine */
	} rows[] = {
		{"{}", NULL},
		{"{\"type\": \"nfs\", \"device\": \":/x\", \"o\": \"addr=1.2.3.4\"}", NULL},
		{"{\"what\": \"x\"}", "invalid option: \"what\""},
		{"{\"type\": \"nfs\"}", "missing required option: \"device\""},
		{"{\"device\": \":/x\"}", "missing required option: \"type\""},
		{"{\"o\": \"ro\"}", "missing required option: \"device\""},
		{"{\"size\": \"what\"}", "invalid size: 'what'"},
		{"{\"size\": \"1m\"}", "quota size requested but no quota support"},
		{"{\"size\": \"0\"}", NULL},
		{"{\"type\": \"cifs\", \"device\": \"//h:1/s\"}", "port not allowed in CIFS"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *o = json_of(rows[i].options);
		struct err e = {0};
		int r = volume_options_check(o, &e);

		ok(rows[i].text ? r < 0 && strstr(e.msg, rows[i].text) : r == 0, "%s: %s",
		   rows[i].options, e.msg);
	}
}

static const json_t *at(struct container *c, const char *target)
{
	size_t i;
	json_t *m;

	json_array_foreach(c->mounts, i, m) if (streq(js(m, "Destination"), target)) return m;
	return NULL;
}

static void resolved(void)
{
	struct container *c = world_container(
		&w, "good", "{\"Volumes\": {\"/anon\": {}, \"/named\": {}}, \"Hostname\": \"h\"}",
		"{\"Binds\": [\"/tmp//atoll-test-bind/./y:/bound:ro,rslave\", "
		"\"data:/named:nocopy\"], "
		"\"Mounts\": [{\"Type\": \"tmpfs\", \"Target\": \"/t\", \"TmpfsOptions\": "
		"{\"SizeBytes\": 4096, \"Mode\": 448}}], \"Tmpfs\": {\"/run\": \"size=1m\"}}");
	struct err e = {0};
	auto_json json_t *shown = NULL;
	struct volume *v;

	is_int(mounts_resolve(c, NULL, NULL, &e), 0, "all kinds (%s)", e.msg);
	is_int(json_array_size(c->mounts), 5, "an image's volume under a named one is one mount");
	is_str(js(at(c, "/bound"), "Source"), "/tmp/atoll-test-bind/y", "a bind's path is clean");
	ok(!fs_exists("/tmp/atoll-test-bind/y") && jb(at(c, "/bound"), "_make"),
	   "and made at start, as in Docker");
	is_str(js(at(c, "/bound"), "Propagation"), "rslave", "its propagation");
	ok(!jb(at(c, "/named"), "_copy") && jb(at(c, "/anon"), "_copy"), "nocopy");
	is_str(js(at(c, "/t"), "_options"), "mode=700,size=4096", "a tmpfs");
	shown = container_mounts(c);
	is_int(json_array_size(shown), 4, "--tmpfs is not shown");
	ok(!json_object_get(json_array_get(shown, 0), "_options"), "nor are our own keys");

	v = map_get(w.en.volumes, "data");
	ok(v && !volume_anonymous(v) && volume_refs(&w.en, v) == 1, "the named volume");
	ok(engine_volume_remove(&w.en, "data", false, &e) < 0 && e.kind == ERR_CONFLICT,
	   "in use: %s", e.msg);
	is_int(volume_refs_without(&w.en, v, c), 0, "by nobody else");
}

static void spec_of_mounts(void)
{
	struct container *c = world_container(&w, "order", "{}",
					      "{\"Binds\": [\"/tmp:/a/b/c\", \"/tmp:/a\", "
					      "\"/etc/hostname:/etc/hosts\"]}");
	struct err e = {0};
	struct rt_mount *m;
	size_t n = 0;

	is_int(mounts_resolve(c, NULL, NULL, &e), 0, "resolved (%s)", e.msg);
	m = mounts_for_spec(c, &n);
	is_int(n, 5, "the engine's files, but for the one that is bound over");
	is_str(m[0].target, "/a", "the outermost first");
	is_str(m[n - 1].target, "/a/b/c", "the innermost last");
	is_str(m[0].options, "rbind,rprivate", "writable");
	mounts_free(m, n);
	c = world_container(
		&w, "flat", "{}",
		"{\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/tmp\", \"Target\": "
		"\"/m\", \"ReadOnly\": true, \"BindOptions\": {\"NonRecursive\": true, "
		"\"ReadOnlyNonRecursive\": true}}], \"Tmpfs\": {\"/x\": \"exec,size=1m\"}}");
	is_int(mounts_resolve(c, NULL, NULL, &e), 0, "resolved (%s)", e.msg);
	m = mounts_for_spec(c, &n);
	is_str(m[0].options, "bind,ro,private", "not recursive, and crun takes no r");
	is_str(m[1].options, "nosuid,nodev,exec,size=1m", "exec takes noexec away");
	mounts_free(m, n);
}

static void from_others(void)
{
	struct container *a = world_container(&w, "from", "{}",
					      "{\"Binds\": [\"/tmp:/b\", \"nn:/n\"], \"Tmpfs\": "
					      "{\"/t\": \"\"}}");
	struct container *b = world_container(
		&w, "heir", "{}", "{\"VolumesFrom\": [\"from:ro\"], \"Binds\": [\"/var:/b\"]}");
	struct err e = {0};

	is_int(mounts_resolve(a, NULL, NULL, &e), 0, "the first (%s)", e.msg);
	is_int(mounts_resolve(b, NULL, NULL, &e), 0, "its heir (%s)", e.msg);
	is_int(json_array_size(b->mounts), 2, "without --tmpfs");
	is_str(js(at(b, "/b"), "Source"), "/var", "an own bind wins");
	ok(at(b, "/n") && !jb(at(b, "/n"), "RW") && !jb(at(b, "/n"), "_copy"), "read-only");
}

/* ---- a volume in the store ---- */

static int note(const struct volume_row *row, void *data)
{
	(void)snprintf(data, 300, "%s %d", row->name, row->phase);
	return volume_load(&w.en, row, NULL);
}

static void volumes_in_the_store(void)
{
	char text[300] = "";
	struct err e = {0};
	struct volume *v;
	auto_free char *path = NULL;

	is_int(engine_volume_create(&w.en, "kept", NULL, NULL, &v, &e), 0, "made");
	path = volume_mountpoint(v);
	ok(path && fs_exists(path), "with a directory");
	is_int(volume_save(v, PHASE_REMOVING, &e), 0, "a removal that was begun");
	(void)map_del(w.en.volumes, "kept");
	volume_free(v);
	/* the next life */
	is_int(volume_each(w.en.db, note, text, &e), 0, "rows are read");
	ok(!map_get(w.en.volumes, "kept"), "what was half removed is not there");
	ok(!fs_exists(path), "nor is its directory");
	is_str(text, "kept 3", "its row was the last one read");
	is_int(engine_volume_create(&w.en, "kept", NULL, NULL, &v, &e), 0, "the name is free");
	is_int(engine_volume_remove(&w.en, "kept", false, &e), 0, "removed");
	ok(engine_volume_find(&w.en, "kept", &v, &e) < 0, "gone");
	is_str(e.msg, "get kept: no such volume", "and told so");
}

int main(void)
{
	world_open(&w);
	volumes_in_the_store();
	paths();
	modes_of_binds();
	options_of_volumes();
	refused();
	resolved();
	from_others();
	spec_of_mounts();
	world_close(&w);
	return tap_done();
}
