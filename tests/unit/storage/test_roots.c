/* SPDX-License-Identifier: GPL-2.0-or-later */
/* containers' roots: overlay mounts of many layers, both ways to mount, unmounting, removing */

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "storage/internal.h"
#include "tap.h"
#include "world.h"

#define BASE "00000000000000000000000000000000"
#define TOP  "11111111111111111111111111111111"
#define CID  "c0ffee"

static char *layers[] = {(char[]){BASE}, (char[]){TOP}, NULL};

static void put_layers(struct world *w)
{
	auto_free char *gone = at(w, "layers/" TOP "/diff/data/gone");
	auto_free char *opaque = at(w, "layers/" TOP "/diff/old");

	put_file(w, "layers/" BASE "/diff/data/keep", "keep");
	put_file(w, "layers/" BASE "/diff/data/gone", "gone");
	put_file(w, "layers/" BASE "/diff/data/both", "lower");
	put_file(w, "layers/" BASE "/diff/old/one", "1");
	put_file(w, "layers/" TOP "/diff/data/both", "upper");
	put_file(w, "layers/" TOP "/diff/old/two", "2");
	put_dir(w, "layers/" TOP "/diff", 0751);
	ok(mknod(gone, S_IFCHR, makedev(0, 0)) == 0, "a whiteout");
	ok(setxattr(opaque, "user.overlay.opaque", "y", 1, 0) == 0, "an opaque directory");
}

static void is_text(struct world *w, const char *path, const char *want)
{
	auto_free char *got = text_of(w, path);

	is_str(got, want, "%s", path);
}

#define MERGED "containers/" CID "/merged/"

static void mounting(struct world *w)
{
	auto_free char *merged = at(w, "containers/" CID "/merged");
	char dir[256];
	struct stat st;
	struct err e = {0};

	is_int(storage_container_add(w->storage, CID, &e), 0, "a container's folder");
	is_int(storage_container_add(w->storage, CID, &e), 0, "again");
	ok(str_has_suffix(storage_container_dir(w->storage, CID, dir, sizeof(dir)),
			  "/data/containers/" CID),
	   "where");
	ok(!storage_mounted(w->storage, CID), "not mounted");
	if (!is_int(storage_mount(w->storage, CID, layers, false, &e), 0, "mounted"))
		printf("# %s\n", e.msg);
	ok(storage_mounted(w->storage, CID), "is seen");
	is_int(storage_mount(w->storage, CID, layers, false, &e), 0, "mounted already");
	is_text(w, MERGED "data/keep", "keep");
	is_text(w, MERGED "data/both", "upper");
	ok(!there(w, MERGED "data/gone"), "what is whited out is gone");
	ok(!there(w, MERGED "old/one") && there(w, MERGED "old/two"), "opaque");
	ok(stat(merged, &st) == 0 && (st.st_mode & 07777) == 0751, "the root's mode");
	put_file(w, MERGED "new", "written");
	is_text(w, "containers/" CID "/upper/new", "written");
	ok(!there(w, "layers/" TOP "/diff/new"), "never into a layer");
	is_int(storage_unmount(w->storage, CID, &e), 0, "unmounted");
	ok(!storage_mounted(w->storage, CID), "is seen");
	is_int(storage_unmount(w->storage, CID, &e), 0, "not mounted: no harm");
	is_int(storage_mount(w->storage, CID, layers, false, &e), 0, "mounted anew");
	is_text(w, MERGED "new", "written");
}

/* somebody looks into it: it goes all the same */
static void busy(struct world *w)
{
	auto_free char *merged = at(w, "containers/" CID "/merged");
	auto_close int fd = open(merged, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err e = {0};

	ok(fd >= 0, "held open");
	is_int(storage_unmount(w->storage, CID, &e), 0, "unmounted lazily");
	ok(!storage_mounted(w->storage, CID), "gone from sight");
}

static void removing(struct world *w)
{
	struct err e = {0};

	is_int(storage_mount(w->storage, CID, layers, false, &e), 0, "mounted");
	storage_container_remove(w->storage, CID);
	ok(!there(w, "containers/" CID), "gone at once");
	world_settle(w);
	is_int(count(w, "trash"), 0, "and deleted");
	ok(there(w, "layers/" TOP "/diff/data/both") && there(w, "layers/" BASE "/diff/data/keep"),
	   "the layers stay");
	storage_container_remove(w->storage, CID);
	storage_container_remove(w->storage, "../layers");
	ok(there(w, "layers"), "only containers");
}

static int one(const char *id, void *data)
{
	return strv_add(data, id);
}

static void failures(struct world *w)
{
	char *missing[] = {(char[]){BASE}, (char[]){"22222222222222222222222222222222"}, NULL};
	char *none[] = {NULL};
	auto_strv char **ids = NULL, **many = NULL;
	struct err e = {0};

	is_err(storage_container_add(w->storage, "../x", &e), e, ERR_INTERNAL,
	       "not a container id: ../x");
	is_int(storage_container_add(w->storage, CID, &e), 0, "a container");
	is_err(storage_mount(w->storage, CID, missing, false, &e), e, ERR_INTERNAL,
	       "layer 22222222222222222222222222222222 is missing");
	is_err(storage_mount(w->storage, CID, none, false, &e), e, ERR_INTERNAL,
	       "a root needs at least one layer");
	for (int i = 0; i < 128; i++)
		if (strv_add(&many, BASE) < 0)
			abort();
	is_err(storage_mount(w->storage, CID, many, false, &e), e, ERR_INVALID,
	       "the image has 128 layers, at most 127 can be mounted");
	ok(!storage_mounted(w->storage, CID), "nothing is mounted");
	ok(storage_container_each(w->storage, one, &ids) == 0 && strv_len(ids) == 1,
	   "one is there");
	storage_container_remove(w->storage, CID);
	world_settle(w);
}

/* as many as an image may have, each with a file of its own */
static void many_layers(struct world *w)
{
	auto_strv char **ids = NULL;
	unsigned seen = 0;
	struct err e = {0};

	for (int i = 0; i < 127; i++) {
		auto_free char *file = str_printf("layers/%032x/diff/f%d", 0xabc000 + i, i);

		put_file(w, file, "x");
		if (strv_addf(&ids, "%032x", 0xabc000 + i) < 0)
			abort();
	}
	is_int(storage_container_add(w->storage, "many", &e), 0, "a container");
	if (!is_int(storage_mount(w->storage, "many", ids, false, &e), 0, "127 layers"))
		printf("# %s\n", e.msg);
	for (int i = 0; i < 127; i++) {
		auto_free char *file = str_printf("containers/many/merged/f%d", i);

		seen += there(w, file);
	}
	is_int(seen, 127, "all are seen");
	storage_container_remove(w->storage, "many");
	world_settle(w);
}

/* the way of older kernels, with names it must escape */
static void old_way(struct world *w)
{
	auto_free char *low = at(w, "odd:a,b\\c/low"), *high = at(w, "odd:a,b\\c/high");
	auto_free char *upper = at(w, "odd:a,b\\c/upper"), *work = at(w, "odd:a,b\\c/work");
	auto_free char *target = at(w, "old");
	char *lower[] = {low, high, NULL};
	auto_strv char **many = NULL;
	struct err e = {0};

	put_file(w, "odd:a,b\\c/low/a", "low");
	put_file(w, "odd:a,b\\c/high/a", "high");
	put_dir(w, "odd:a,b\\c/upper", 0755);
	put_dir(w, "odd:a,b\\c/work", 0755);
	put_dir(w, "old", 0755);
	for (int way = 0; way < 2; way++) {
		const struct overlay o = {lower, upper, work, target};

		if (!is_int((way ? overlay_mount_text : overlay_mount)(&o, &e), 0, "mounted, %s",
			    way ? "as before 6.5" : "as now"))
			printf("# %s\n", e.msg);
		is_text(w, "old/a", "high");
		ok(umount2(target, 0) == 0, "unmounted");
	}
	for (int i = 0; i < 200; i++)
		if (strv_add(&many, low) < 0)
			abort();
	is_int(overlay_mount_text(&(struct overlay){many, upper, work, target}, &e), -E2BIG,
	       "more than one page of options");
	ok(strstr(e.msg, "more than this kernel mounts") != NULL, "is told: %s", e.msg);
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	world_open(&w);
	put_layers(&w);
	mounting(&w);
	busy(&w);
	removing(&w);
	failures(&w);
	many_layers(&w);
	old_way(&w);
	world_close(&w);
	free(w.dir);
	free(w.root);
	return tap_done();
}
