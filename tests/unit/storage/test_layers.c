/* SPDX-License-Identifier: GPL-2.0-or-later */
/* the folders, layers from their temporary place to the trash, the sweep of a dead life */

#include <sys/stat.h>

#include "storage/internal.h"
#include "tap.h"
#include "world.h"

#define ID    "0123456789abcdef0123456789abcdef"
#define CHAIN "sha256:" ID "00000000000000000000000000000000"

static void folders(struct world *w)
{
	static const char *const names[] = {"layers", "containers", "volumes", "trash"};
	struct stat st;

	ok(stat(w->root, &st) == 0 && (st.st_mode & 07777) == 0710, "the data root");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = at(w, names[i]);

		ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0700, "%s", names[i]);
	}
}

static void names(void)
{
	static const char *const bad[] = {"", ".", "..", ".hidden", "a/b", "/"};
	char long_name[300];

	memset(long_name, 'a', sizeof(long_name));
	long_name[256] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(!storage_name_ok(bad[i]), "not a name: \"%s\"", bad[i]);
	ok(!storage_name_ok(NULL) && !storage_name_ok(long_name), "nor nothing, nor too much");
	long_name[255] = '\0';
	ok(storage_name_ok(long_name) && storage_name_ok("a.b-c"), "names");
}

static void commit(struct world *w)
{
	auto_free char *tmp = NULL, *diff = NULL, *path = NULL, *text = NULL, *want = NULL;
	struct err e = {0};

	is_int(storage_layer_tmp(w->storage, &tmp, &e), 0, "a place to unpack");
	diff = str_printf("%s/l0", tmp);
	auto_free char *file = str_printf("%s/file", diff + strlen(w->root) + 1);

	put_file(w, file, "text");
	ok(!storage_layer_exists(w->storage, CHAIN), "not yet");
	is_int(storage_layer_commit(w->storage, diff, CHAIN, &e), 0, "committed");
	ok(storage_layer_exists(w->storage, CHAIN), "there");
	text = text_of(w, "layers/" ID "/diff/file");
	is_str(text, "text", "with its content");
	is_int(storage_layer_path(w->storage, CHAIN, &path), 0, "its path");
	want = at(w, "layers/" ID "/diff");
	is_str(path, want, "is where it should be");
	ok(storage_layer_exists(w->storage, ID) && storage_layer_exists(w->storage, &CHAIN[7]),
	   "by its short id and its digits");
	storage_trash(w->storage, tmp);
	world_settle(w);
	is_int(count(w, "layers"), 1, "nothing beside it");
	is_int(count(w, "trash"), 0, "nothing in the trash");
}

static void commit_again(struct world *w)
{
	auto_free char *tmp = NULL, *diff = NULL, *text = NULL;
	struct err e = {0};

	is_int(storage_layer_tmp(w->storage, &tmp, &e), 0, "once more");
	diff = str_printf("%s/l0", tmp);
	auto_free char *file = str_printf("%s/file", diff + strlen(w->root) + 1);

	put_file(w, file, "other");
	is_int(storage_layer_commit(w->storage, diff, CHAIN, &e), 0, "the same id");
	text = text_of(w, "layers/" ID "/diff/file");
	is_str(text, "text", "the first stays");
	storage_trash(w->storage, tmp);
	world_settle(w);
	ok(count(w, "layers") == 1 && count(w, "trash") == 0, "the second is gone");
}

static void commit_fails(struct world *w)
{
	auto_free char *missing = at(w, "layers/tmp-none/l0");
	struct err e = {0};
	char *path = NULL;

	ok(storage_layer_commit(w->storage, missing, "sha256:" CHAIN, &e) < 0, "no id");
	ok(storage_layer_commit(w->storage, missing, "../../etc", &e) < 0, "a path is no id");
	ok(storage_layer_path(w->storage, "abc", &path) < 0, "too short");
	is_err(storage_layer_commit(w->storage, missing, "ffffffffffffffffffffffffffffffff", &e), e,
	       ERR_INTERNAL,
	       "cannot move layer ffffffffffffffffffffffffffffffff to its place: No such file or "
	       "directory");
	world_settle(w);
	ok(count(w, "layers") == 1 && count(w, "trash") == 0, "and leaves nothing");
}

static int collect(const char *id, void *data)
{
	return strv_add(data, id);
}

static int stop(const char *id, void *data)
{
	(void)id;
	++*(int *)data;
	return 7;
}

static void walk(struct world *w)
{
	auto_free char *tmp = NULL;
	auto_strv char **ids = NULL;
	int calls = 0;

	put_dir(w, "layers/ffffffffffffffffffffffffffffffff/diff", 0755);
	is_int(storage_layer_tmp(w->storage, &tmp, NULL), 0, "being unpacked");
	is_int(storage_layer_each(w->storage, collect, &ids), 0, "all layers");
	ok(strv_len(ids) == 2 && strv_has(ids, ID), "without what is being unpacked");
	is_int(storage_layer_each(w->storage, stop, &calls), 7, "ends when told");
	is_int(calls, 1, "at once");
	storage_layer_remove(w->storage, "ffffffffffffffffffffffffffffffff");
	ok(!there(w, "layers/ffffffffffffffffffffffffffffffff"), "removed at once");
	storage_layer_remove(w->storage, "ffffffffffffffffffffffffffffffff");
	storage_layer_remove(w->storage, "../containers");
	ok(there(w, "containers"), "only layers");
	storage_trash(w->storage, tmp);
	world_settle(w);
}

/* what a killed engine leaves */
static void sweep(struct world *w)
{
	world_close(w);
	put_file(w, "layers/tmp-0123/l0/deep/file", "x");
	put_file(w, "layers/tmp-empty", "x");
	put_file(w, "trash/abc/file", "x");
	put_dir(w, "trash/def", 0000);
	world_open(w);
	ok(!there(w, "layers/tmp-0123") && !there(w, "layers/tmp-empty"),
	   "gone from sight at once");
	world_settle(w);
	is_int(count(w, "trash"), 0, "and deleted");
	is_int(count(w, "layers"), 1, "a committed layer stays");
}

/* something is mounted in what is deleted: it must not be followed */
static void trash_and_links(struct world *w)
{
	auto_free char *link = at(w, "layers/tmp-link"), *target = at(w, "precious");
	auto_free char *inner = at(w, "layers/tmp-dir/link"), *dir = at(w, "layers/tmp-dir");

	put_file(w, "precious/file", "x");
	put_dir(w, "layers/tmp-dir", 0755);
	ok(symlink(target, link) == 0 && symlink(target, inner) == 0, "links");
	storage_trash(w->storage, link);
	storage_trash(w->storage, dir);
	world_settle(w);
	ok(there(w, "precious/file"), "links are not followed");
	is_int(count(w, "trash"), 0, "but deleted");
	storage_trash(w->storage, dir); /* absent: no harm */
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	world_open(&w);
	folders(&w);
	names();
	commit(&w);
	commit_again(&w);
	commit_fails(&w);
	walk(&w);
	sweep(&w);
	trash_and_links(&w);
	world_close(&w);
	free(w.dir);
	free(w.root);
	return tap_done();
}
