/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image_load_*() with the real helper: every form of a good archive, and what becomes of it */

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fs.h"
#include "base/json.h"
#include "image/chain.h"
#include "tap.h"
#include "world.h"

#define ROOM (64u << 20)

static void layer_a(struct buf *b)
{
	*b = BUF_INIT(ROOM);
	TAR(b, "tar", {"etc", 'd'}, {"etc/one", 'f', "first\n", .mode = 0640, .uid = 7},
	    {"tmp", 'd', .mode = 01777}, {"bin/tool", 'f', "#!\n", .mode = 04755});
}

static void layer_b(struct buf *b)
{
	*b = BUF_INIT(ROOM);
	TAR(b, "tar", {"etc/two", 'f', "second\n"});
}

static char *read_layer(struct world *w, const char *chain, const char *name)
{
	auto_free char *path = world_layer_file(w, chain, name);
	auto_buf struct buf b = BUF_INIT(4096);

	return fs_read(path, 4096, &b) < 0 ? NULL : strdup(buf_str(&b));
}

static void remove_all(struct world *w)
{
	struct image *i;

	while ((i = image_next(w->images, NULL))) {
		auto_json json_t *out = json_array();

		if (image_remove(w->images, image_id(i), true, NULL, NULL, out, NULL) < 0)
			abort();
	}
	world_settle(w);
}

static void check_files(struct world *w, const struct image *i, const char *how)
{
	char *const *layers = image_layers(i);
	auto_free char *one = read_layer(w, layers[0], "etc/one");
	auto_free char *two = read_layer(w, layers[1], "etc/two");
	auto_free char *path = world_layer_file(w, layers[0], "etc/one");
	auto_free char *tool = world_layer_file(w, layers[0], "bin/tool");
	auto_free char *tmp = world_layer_file(w, layers[0], "tmp");
	struct stat st;

	is_str(one, "first\n", "%s: a file of the first layer", how);
	is_str(two, "second\n", "%s: a file of the second", how);
	ok(lstat(path, &st) == 0 && (st.st_mode & 07777) == 0640 && st.st_uid == 7 &&
		   st.st_mtime == 1700000000,
	   "%s: owner, mode and time", how);
	ok(lstat(tool, &st) == 0 && (st.st_mode & 07777) == 04755, "%s: set-user-id", how);
	ok(lstat(tmp, &st) == 0 && (st.st_mode & 07777) == 01777, "%s: sticky", how);
}

static void forms(struct world *w)
{
	static const char *const hows[] = {"tar", "gzip", "zstd", "xz"};
	struct buf layers[2];
	char *first = NULL;

	layer_a(&layers[0]);
	layer_b(&layers[1]);
	for (int oci = 0; oci < 2; oci++)
		for (size_t h = 0; h < ARRAY_SIZE(hows); h++) {
			struct spec s = {layers, 2, oci ? "docker.io/library/form:1" : "form:1",
					 hows[h]};
			auto_buf struct buf data = BUF_INIT(ROOM);
			struct outcome o = {0};
			struct image *i = NULL;

			(oci ? oci_archive : docker_archive)(&data, &s);
			load_bytes(w, &data, &o);
			if (!is_int(o.result, 0, "%s, %s", oci ? "OCI" : "docker", hows[h]))
				printf("# %s\n", o.e.msg);
			is_str(o.told ? o.told[0] : NULL, "Loaded image: form:1", "told");
			ok(image_find(w->images, "form", &i, NULL) < 0, "another tag");
			ok(image_find(w->images, "form:1", &i, NULL) == 0, "found");
			is_str(o.ids ? o.ids[0] : NULL, i ? image_id(i) : "", "its id is told");
			if (!first && i)
				first = strdup(image_id(i));
			is_str(i ? image_id(i) : NULL, first, "the id is the same in every form");
			if (i)
				check_files(w, i, hows[h]);
			is_int(world_count(w, "layers"), 2, "two layers");
			remove_all(w);
			is_int(world_count(w, "layers"), 0, "and none after the removal");
			outcome_done(&o);
		}
	free(first);
	buf_done(&layers[0]);
	buf_done(&layers[1]);
}

static void whole_compressed(struct world *w)
{
	static const char *const hows[] = {"gzip", "zstd", "xz"};
	struct buf layer;

	layer_a(&layer);
	for (size_t h = 0; h < ARRAY_SIZE(hows); h++) {
		auto_free char *config = config_text(&(struct spec){&layer, 1});
		auto_buf struct buf data = BUF_INIT(ROOM);
		struct outcome o = {0};

		TAR(&data, hows[h], {"c.json", 'f', config},
		    {"l.tar", 'f', layer.data, .len = layer.len},
		    {"manifest.json", 'f',
		     "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"l.tar\"]}]"});
		load_bytes(w, &data, &o);
		if (!is_int(o.result, 0, "the whole archive in %s", hows[h]))
			printf("# %s\n", o.e.msg);
		ok(o.told && str_has_prefix(o.told[0], "Loaded image ID: sha256:"),
		   "told without a name");
		outcome_done(&o);
		remove_all(w);
	}
	buf_done(&layer);
}

/* The layers share a base; the second load finds it there. */
static void sharing_and_moving(struct world *w)
{
	struct buf layers[2];
	struct outcome o = {0};
	struct image *old = NULL, *now = NULL;
	auto_buf struct buf one = BUF_INIT(ROOM), two = BUF_INIT(ROOM);
	auto_json json_t *out = json_array();

	layer_a(&layers[0]);
	layer_b(&layers[1]);
	docker_archive(&one, &(struct spec){layers, 1, "moving:1"});
	docker_archive(&two, &(struct spec){layers, 2, "moving:1"});
	load_bytes(w, &one, &o);
	ok(image_find(w->images, "moving:1", &old, NULL) == 0, "first");
	outcome_done(&o);
	load_bytes(w, &two, &o);
	ok(image_find(w->images, "moving:1", &now, NULL) == 0 && now != old, "the name moved");
	ok(image_tags(old) == NULL, "the old one stays without a name");
	is_int(images_count(w->images), 2, "two images");
	is_int(world_count(w, "layers"), 2, "that share a layer");
	ok(o.told && str_has_prefix(o.told[0], "The image moving:1 already exists, renaming the "
					       "old one with ID sha256:"),
	   "told");
	is_str(o.told ? o.told[1] : NULL, "Loaded image: moving:1", "and its own");
	outcome_done(&o);
	load_bytes(w, &two, &o);
	is_int(images_count(w->images), 2, "once more: nothing new");
	is_int(o.result, 0, "and no error");
	is_int(world_count(w, "layers"), 2, "no layer either");
	outcome_done(&o);
	ok(image_remove(w->images, image_id(old), false, NULL, NULL, out, NULL) == 0, "removed");
	world_settle(w);
	is_int(world_count(w, "layers"), 2, "its layer belongs to the other too");
	is_int(json_array_size(out), 1, "so only the image is told");
	remove_all(w);
	is_int(world_count(w, "layers"), 0, "now it goes");
	buf_done(&layers[0]);
	buf_done(&layers[1]);
}

static void whiteouts(struct world *w)
{
	struct buf layers[2] = {BUF_INIT(ROOM), BUF_INIT(ROOM)};
	auto_buf struct buf data = BUF_INIT(ROOM);
	struct outcome o = {0};
	struct image *i = NULL;
	struct stat st;
	char v[8] = "";

	TAR(&layers[0], "tar", {"data/keep", 'f', "k"}, {"data/gone", 'f', "g"},
	    {"old/one", 'f', "1"}, {"sub/dir/x", 'f', "x"});
	TAR(&layers[1], "tar", {"data/.wh.gone", 'f'}, {"old/.wh..wh..opq", 'f'},
	    {"old/three", 'f', "3"}, {"sub/.wh.dir", 'f'}, {"sub/dir/y", 'f', "y"},
	    {"hard", 'h', "old/three"}, {"soft", 's', "/data/keep"}, {".wh..wh.plnk", 'd'},
	    {"null", 'c', .major = 1, .minor = 3}, {"fifo", 'p'});
	docker_archive(&data, &(struct spec){layers, 2, "white:1"});
	load_bytes(w, &data, &o);
	if (!is_int(o.result, 0, "whiteouts"))
		printf("# %s\n", o.e.msg);
	ok(image_find(w->images, "white:1", &i, NULL) == 0, "found");
	if (!i)
		return;
	const char *top = image_layers(i)[1];
	auto_free char *gone = world_layer_file(w, top, "data/gone");
	auto_free char *old = world_layer_file(w, top, "old");
	auto_free char *dir = world_layer_file(w, top, "sub/dir");
	auto_free char *hard = world_layer_file(w, top, "hard");
	auto_free char *null = world_layer_file(w, top, "null");
	auto_free char *plnk = world_layer_file(w, top, ".wh..wh.plnk");

	ok(lstat(gone, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == 0,
	   "a whiteout is a device 0:0");
	ok(getxattr(old, "user.overlay.opaque", v, sizeof(v)) == 1 && *v == 'y',
	   "an opaque directory");
	ok(getxattr(dir, "user.overlay.opaque", v, sizeof(v)) == 1 && *v == 'y',
	   "a directory made where one is hidden");
	ok(lstat(hard, &st) == 0 && st.st_nlink == 2, "a hard link");
	ok(lstat(null, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3), "a device");
	ok(!fs_exists(plnk), "aufs's own files mean nothing");
	outcome_done(&o);
	remove_all(w);
	buf_done(&layers[0]);
	buf_done(&layers[1]);
}

static void imports(struct world *w)
{
	static const char *const changes[] = {"CMD [\"echo\",\"x\"]", "ENV A=b", NULL};
	struct buf layer;
	struct outcome o = {0};
	struct image_load_ops ops = outcome_ops(&o);
	struct image_load *l;
	struct image *i = NULL;
	struct err e = {0};

	layer_a(&layer);
	if (!is_int(image_import_start(w->images, "imp:1", (char *const *)(uintptr_t)changes,
				       "a message", &ops, &l, &e),
		    0, "import begins"))
		return;
	load_all(w, l, &layer, 1000, &o);
	if (!is_int(o.result, 0, "imported"))
		printf("# %s\n", o.e.msg);
	ok(image_find(w->images, "imp:1", &i, NULL) == 0, "found");
	if (!i)
		return;
	const json_t *c = image_config(i), *inner = json_object_get(c, "config");

	is_str(json_string_value(json_array_get(json_object_get(inner, "Cmd"), 1)), "x", "Cmd");
	is_str(json_string_value(json_array_get(json_object_get(inner, "Env"), 0)), "A=b", "Env");
	is_str(json_string_value(json_object_get(c, "comment")), "a message", "message");
	is_int(strv_len(image_layers(i)), 1, "one layer");
	is_str(o.ids ? o.ids[0] : NULL, image_id(i), "id");
	ok(image_created_ns(i) > 0, "age");
	outcome_done(&o);
	is_err(image_import_start(w->images, "x@sha256:1", NULL, NULL, &ops, &l, &e), e,
	       ERR_INVALID, "cannot import digest reference");
	ok(image_import_start(w->images, "UPPER", NULL, NULL, &ops, &l, &e) < 0 &&
		   e.kind == ERR_INVALID,
	   "a bad name");
	remove_all(w);
	buf_done(&layer);
}

/* More than any pipe holds: the helper unpacks nothing before the end, but it must read on. */
static void large(struct world *w)
{
	struct buf layer = BUF_INIT(ROOM);
	auto_buf struct buf data = BUF_INIT(ROOM);
	size_t len = 20u << 20;
	char *noise = malloc(len);
	struct outcome o = {0};
	struct image *i = NULL;

	for (size_t k = 0; k < len; k++)
		noise[k] = (char)(k * 2654435761u >> 13);
	TAR(&layer, "tar", {"big", 'f', noise, .len = len});
	docker_archive(&data, &(struct spec){&layer, 1, "large:1"});
	load_bytes(w, &data, &o);
	is_int(o.result, 0, "20 MiB");
	ok(image_find(w->images, "large:1", &i, NULL) == 0 && image_size(i) == (int64_t)len,
	   "its size");
	outcome_done(&o);
	remove_all(w);
	free(noise);
	buf_done(&layer);
}

static void survives(struct world *w)
{
	struct buf layer;
	auto_buf struct buf data = BUF_INIT(ROOM);
	struct outcome o = {0};
	struct image *i = NULL;
	auto_free char *id = NULL, *stray = NULL;

	layer_a(&layer);
	docker_archive(&data, &(struct spec){&layer, 1, "stays:1"});
	load_bytes(w, &data, &o);
	id = strdup(o.ids ? o.ids[0] : "");
	outcome_done(&o);
	stray = str_printf("%s/data/layers/0123456789abcdef0123456789abcdef", w->dir);
	ok(fs_mkdir_p(stray, 0700) == 0, "a layer without a row");
	world_close(w);
	world_open(w);
	world_settle(w);
	ok(image_find(w->images, "stays:1", &i, NULL) == 0, "after a restart");
	is_str(i ? image_id(i) : NULL, id, "the same");
	is_int(i ? (int64_t)strv_len(image_layers(i)) : 0, 1, "with its layer");
	is_int(world_count(w, "layers"), 1, "the stray one is swept");
	remove_all(w);
	buf_done(&layer);
}

static void loaded(int result, void *data)
{
	*(int *)data = result;
}

static void builtin(struct world *w)
{
	int result = 1;
	struct image *i = NULL;

	ok(images_builtin(w->images, loaded, &result) == 0, "the built-in image");
	for (int n = 0; result == 1 && n < 600; n++)
		(void)loop_run_once(w->loop, 100);
	is_int(result, 0, "loaded");
	ok(image_find(w->images, "atoll/busybox", &i, NULL) == 0, "found without a tag");
	if (!i)
		return;
	auto_free char *sh = world_layer_file(w, image_layers(i)[0], "bin/sh");
	auto_free char *httpd = world_layer_file(w, image_layers(i)[0], "usr/sbin/httpd");
	struct stat st;

	ok(lstat(sh, &st) == 0 && lstat(httpd, &st) == 0, "its programs");
	result = 1;
	ok(images_builtin(w->images, loaded, &result) == 0 && result == 0, "not once more");
	remove_all(w);
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	w.config.builtin = getenv("ATOLL_BUILTIN");
	world_open(&w);
	forms(&w);
	whole_compressed(&w);
	sharing_and_moving(&w);
	whiteouts(&w);
	imports(&w);
	large(&w);
	survives(&w);
	builtin(&w);
	is_int(world_count(&w, "trash"), 0, "nothing is left");
	world_close(&w);
	free(w.dir);
	return tap_done();
}
