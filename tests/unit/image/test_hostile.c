/* SPDX-License-Identifier: GPL-2.0-or-later */
/* archives that mean harm, or end in the middle: a clear error, nothing outside, nothing left */

#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "image/chain.h"
#include "tap.h"
#include "world.h"

#define ROOM (256u << 20)
#define UP   "../../../../../../../../../../../.."

static void nothing_left(struct world *w, const char *what)
{
	world_settle(w);
	ok(world_count(w, "layers") == 0 && world_count(w, "trash") == 0 &&
		   images_count(w->images) == 0,
	   "%s: nothing is left", what);
	ok(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "%s: no process either", what);
}

static void drop(struct world *w, const char *ref)
{
	json_t *out = json_array();
	struct err e = {0};

	if (image_remove(w->images, ref, true, NULL, NULL, out, &e) < 0)
		printf("# %s\n", e.msg);
	json_decref(out);
	world_settle(w);
}

/* ---- hostile layers ---- */

struct layer_case {
	const char *what;
	const char *says; /* part of the error; NULL: it loads, and harms nobody */
	struct item items[6];
};

static char long_name[9000]; /* "n/n/n/...", and from 4200 on "aaa...a/aaa...a/..." */
static char zeros[1024];     /* the end of a tar */

static struct layer_case layer_cases[] = {
	{"dot-dot", "\"..\" is not allowed", {{UP "/var/tmp/victim/a", 'f', "x"}}},
	{"dot-dot inside", "\"..\" is not allowed", {{"a/../../b", 'f', "x"}}},
	{"dot-dot directory", "\"..\" is not allowed", {{"..", 'd'}}},
	{"absolute", NULL, {{"/var/tmp/victim/b", 'f', "x"}}},
	{"link out",
	 "leads out of the layer",
	 {{"out", 's', "/var/tmp/victim"}, {"out/c", 'f', "x"}}},
	{"link up",
	 "leads out of the layer",
	 {{"out", 's', UP "/var/tmp/victim"}, {"out/d", 'f', "x"}}},
	{"chain of links",
	 "leads out of the layer",
	 {{"a", 's', "."}, {"a/b", 's', "/var/tmp/victim"}, {"a/b/e", 'f', "x"}}},
	{"link to proc",
	 "leads out of the layer",
	 {{"p", 's', "/proc/self/root"}, {"p/var/tmp/victim/f", 'f', "x"}}},
	{"loop of links", "leads nowhere", {{"a", 's', "b"}, {"b", 's', "a"}, {"a/x", 'f', "x"}}},
	{"file as a directory", "not a directory", {{"a", 'f', "x"}, {"a/b", 'f', "x"}}},
	{"swapped directory",
	 "leads out of the layer",
	 {{"d", 'd'}, {"d/f", 'f', "1"}, {"d", 's', "/var/tmp/victim"}, {"d/g", 'f', "2"}}},
	{"hard link out", "cannot link to", {{"shadow", 'h', "/etc/hostname"}}},
	{"hard link up", "out of the layer", {{"shadow", 'h', UP "/etc/hostname"}}},
	{"hard link through a link",
	 "leads out of the layer",
	 {{"out", 's', "/etc"}, {"shadow", 'h', "out/hostname"}}},
	{"whiteout up", "\"..\" is not allowed", {{"../.wh.etc", 'f'}}},
	{"whiteout of dots", "invalid whiteout", {{"x/.wh...", 'f'}}},
	{"whiteout of nothing", "invalid whiteout", {{"x/.wh.", 'f'}}},
	{"deep name", "too deep", {{long_name, 'f', "x"}}},
	{"long name", "too long", {{long_name + 4200, 'f', "x"}}},
	{"root as a file", "the root must be a directory", {{".", 'f', "x"}}},
	{"device", NULL, {{"dev/evil", 'b', .major = 8, .mode = 0666}}},
	{"link inside", NULL, {{"real", 'd'}, {"way", 's', "real"}, {"way/f", 'f', "x"}}},
	{"hard link to itself", NULL, {{"a", 'f', "x"}, {"a", 'h', "./a"}}},
};

static void hostile_layers(struct world *w)
{
	memset(long_name, 'n', sizeof(long_name) - 1);
	for (size_t i = 1; i < 4200; i += 2)
		long_name[i] = '/';
	long_name[4199] = '\0';
	for (size_t i = 4400; i < sizeof(long_name); i += 200)
		long_name[i] = '/';
	long_name[sizeof(long_name) - 1] = '\0';
	for (size_t k = 0; k < ARRAY_SIZE(layer_cases); k++) {
		const struct layer_case *c = &layer_cases[k];
		struct buf layer = BUF_INIT(ROOM);
		auto_buf struct buf data = BUF_INIT(ROOM);
		struct outcome o = {0};
		size_t n = 0;

		while (n < ARRAY_SIZE(c->items) && c->items[n].name)
			n++;
		tar_make(&layer, c->items, n, "tar");
		docker_archive(&data, &(struct spec){&layer, 1, "hostile:1", "gzip"});
		load_bytes(w, &data, &o);
		if (!ok(c->says ? o.result < 0 && strstr(o.e.msg, c->says) : o.result == 0,
			"layer: %s", c->what))
			printf("# %d %s\n", o.result, o.e.msg);
		if (o.result == 0)
			drop(w, "hostile:1");
		outcome_done(&o);
		nothing_left(w, c->what);
		buf_done(&layer);
	}
	ok(!fs_exists("/var/tmp/victim/a") && !fs_exists("/var/tmp/victim"), "nothing outside");
}

/* ---- hostile archives ---- */

#define CONFIG                                                                                     \
	"{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"                \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]}}"
#define MANIFEST(tags, layers) "[{\"Config\":\"c\",\"RepoTags\":" tags ",\"Layers\":" layers "}]"

static const struct archive_case {
	const char *what, *says;
	struct item items[5];
} archive_cases[] = {
	{"no manifest", "neither manifest.json nor index.json", {{"x", 'f', "y"}}},
	{"broken JSON", "manifest.json", {{"manifest.json", 'f', "{"}}},
	{"an object", "not a list of images", {{"manifest.json", 'f', "{}"}}},
	{"wrong types",
	 "cannot unmarshal",
	 {{"manifest.json", 'f', "[{\"Config\":5,\"Layers\":\"x\"}]"}}},
	{"config is missing", "lacks \"c\"", {{"manifest.json", 'f', MANIFEST("null", "[]")}}},
	{"config is out",
	 "\"..\" is not allowed",
	 {{"manifest.json", 'f', "[{\"Config\":\"../../../etc/passwd\",\"Layers\":[]}]"}}},
	{"config is a link out",
	 "leads out of the archive",
	 {{"c", 's', "../../etc/passwd"}, {"manifest.json", 'f', MANIFEST("null", "[]")}}},
	{"config is an absolute link",
	 "lacks \"c\"",
	 {{"c", 's', "/etc/passwd"}, {"manifest.json", 'f', MANIFEST("null", "[]")}}},
	{"links in a circle",
	 "lacks \"c\"",
	 {{"c", 's', "d"}, {"d", 's', "c"}, {"manifest.json", 'f', MANIFEST("null", "[]")}}},
	{"a device", "not a file", {{"c", 'c', .major = 1, .minor = 3}}},
	{"config is no config",
	 "no rootfs",
	 {{"c", 'f', "{}"}, {"manifest.json", 'f', MANIFEST("null", "[]")}}},
	{"layer is missing",
	 "lacks \"l\"",
	 {{"c", 'f', CONFIG}, {"manifest.json", 'f', MANIFEST("null", "[\"l\"]")}}},
	{"number of layers",
	 "layers length mismatch: expected 0, got 1",
	 {{"c", 'f', CONFIG}, {"manifest.json", 'f', MANIFEST("null", "[]")}}},
	{"another diff id",
	 "invalid diffID for layer l",
	 {{"c", 'f', CONFIG},
	  {"l", 'f', zeros, .len = sizeof(zeros)},
	  {"manifest.json", 'f', MANIFEST("null", "[\"l\"]")}}},
	{"a bad name",
	 "invalid tag \"UPPER CASE:!!\": invalid reference format",
	 {{"c", 'f', CONFIG},
	  {"l", 'f'},
	  {"manifest.json", 'f', MANIFEST("[\"UPPER CASE:!!\"]", "[\"l\"]")}}},
	{"a name without a tag",
	 "invalid tag \"some\"",
	 {{"c", 'f', CONFIG},
	  {"l", 'f'},
	  {"manifest.json", 'f', MANIFEST("[\"some\"]", "[\"l\"]")}}},
	{"another system",
	 "cannot load windows image on linux",
	 {{"c", 'f', "{\"os\":\"windows\",\"rootfs\":{\"diff_ids\":[]}}"},
	  {"manifest.json", 'f', MANIFEST("[\"some:1\"]", "[]")}}},
	{"the second of two is bad",
	 "lacks \"none\"",
	 {{"c", 'f', CONFIG},
	  {"l", 'f'},
	  {"manifest.json", 'f',
	   "[{\"Config\":\"c\",\"RepoTags\":[\"good:1\"],\"Layers\":[\"l\"]},{\"Config\":"
	   "\"none\",\"Layers\":[]}]"}}},
	{"OCI: another digest",
	 "lacks \"blobs/sha256/",
	 {{"index.json", 'f',
	   "{\"manifests\":[{\"digest\":\"sha256:"
	   "0000000000000000000000000000000000000000000000000000000000000000\"}]}"}}},
	{"OCI: content does not fit",
	 "has another digest",
	 {{"blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000", 'f',
	   "{}"},
	  {"index.json", 'f',
	   "{\"manifests\":[{\"digest\":\"sha256:"
	   "0000000000000000000000000000000000000000000000000000000000000000\"}]}"}}},
	{"OCI: a path in a digest",
	 "invalid digest",
	 {{"index.json", 'f', "{\"manifests\":[{\"digest\":\"sha256:../../etc/passwd\"}]}"}}},
	{"OCI: no image", "no image for linux/", {{"index.json", 'f', "{\"manifests\":[]}"}}},
};

static void expect(struct world *w, const char *what, const char *says, const struct buf *data)
{
	struct outcome o = {0};

	load_bytes(w, data, &o);
	if (!ok(o.result < 0 && strstr(o.e.msg, says) && !o.ids && !o.told, "archive: %s", what))
		printf("# %d %s\n", o.result, o.e.msg);
	outcome_done(&o);
	nothing_left(w, what);
}

static void hostile_archives(struct world *w)
{
	for (size_t k = 0; k < ARRAY_SIZE(archive_cases); k++) {
		const struct archive_case *c = &archive_cases[k];
		auto_buf struct buf data = BUF_INIT(ROOM);
		size_t n = 0;

		while (n < ARRAY_SIZE(c->items) && c->items[n].name)
			n++;
		tar_make(&data, c->items, n, "tar");
		expect(w, c->what, c->says, &data);
	}
}

static void no_archives(struct world *w)
{
	static char block[10240];
	struct buf empty = {0}, text = {.data = (char[]){"hello"}, .len = 5};
	struct buf nul = {.data = block, .len = sizeof(block)};
	auto_buf struct buf deep = BUF_INIT(1 << 20), archive = BUF_INIT(ROOM), bz = BUF_INIT(ROOM);

	expect(w, "no bytes", "", &empty);
	expect(w, "text", "Unrecognized archive format", &text);
	expect(w, "zeros", "neither manifest.json", &nul);
	for (int i = 0; i < 200000; i++)
		(void)buf_putc(&deep, '[');
	TAR(&archive, "tar", {"manifest.json", 'f', deep.data, .len = deep.len});
	expect(w, "deep JSON", "manifest.json", &archive);
	TAR(&bz, "bzip2", {"manifest.json", 'f', "[]"});
	expect(w, "a compression that is not taken", "Unrecognized archive format", &bz);
}

static void truncated(struct world *w)
{
	struct buf layer = BUF_INIT(ROOM);
	auto_buf struct buf data = BUF_INIT(ROOM), gz = BUF_INIT(ROOM);

	TAR(&layer, "gzip", {"a", 'f', "some content that is long enough to be cut in the middle"},
	    {"b", 'f', "more"});
	docker_archive(&data, &(struct spec){&layer, 1, "cut:1"});
	for (size_t n = 1; n < data.len; n = n * 3 / 2 + 1) {
		struct buf cut = {.data = data.data, .len = n};
		struct outcome o = {0};

		load_bytes(w, &cut, &o);
		/* a tar may lack its end blocks */
		if (!ok(o.result < 0 || n + 1024 >= data.len, "cut after %zu bytes", n))
			printf("# of %zu\n", data.len);
		if (o.result == 0)
			drop(w, "cut:1");
		outcome_done(&o);
		nothing_left(w, "cut");
	}
	/* the layer's stream is cut, the archive around it whole */
	struct buf half = {.data = layer.data, .len = layer.len / 2};

	docker_archive(&gz, &(struct spec){&half, 1, "cut:1"});
	expect(w, "a cut layer", "layer l0/layer.tar: ", &gz);
	buf_done(&layer);
}

/* ---- bombs ---- */

static void bombs(struct world *w)
{
	size_t len = 96u << 20;
	char *huge = calloc(1, len);
	struct buf layer = BUF_INIT(ROOM);
	auto_buf struct buf data = BUF_INIT(ROOM), outer = BUF_INIT(ROOM);

	TAR(&layer, "tar", {"huge", 'f', huge, .len = len});
	docker_archive(&data, &(struct spec){&layer, 1, "bomb:1", "zstd"});
	ok(data.len < len / 1000, "%zu bytes for %zu", data.len, len);
	expect(w, "a layer that grows", "more than 1000 times its size", &data);
	TAR(&outer, "zstd", {"manifest.json", 'f', "[]"}, {"huge", 'f', huge, .len = len});
	expect(w, "an archive that grows", "more than 1000 times its size", &outer);
	buf_done(&layer);
	free(huge);
}

/* ---- ends in the middle ---- */

static struct image_load *start(struct world *w, struct outcome *o)
{
	struct image_load_ops ops = outcome_ops(o);
	struct image_load *l = NULL;
	struct err e = {0};

	is_int(image_load_start(w->images, &ops, &l, &e), 0, "begun");
	return l;
}

static pid_t only_child(void)
{
	auto_buf struct buf b = BUF_INIT(256);

	/* threads of the pool have none */
	if (fs_read("/proc/self/task/1/children", 128, &b) < 0 || !b.len)
		return -1;
	return (pid_t)strtol(buf_str(&b), NULL, 10);
}

static void aborts(struct world *w, const struct buf *data)
{
	for (size_t n = 0; n <= data->len; n += data->len / 4) {
		struct outcome o = {0};
		struct image_load *l = start(w, &o);

		if (n > 0)
			ok(image_load_write(l, data->data, n) >= 0, "%zu bytes", n);
		for (int turn = 0; turn < 3; turn++)
			(void)loop_run_once(w->loop, 5);
		if (n == data->len)
			image_load_eof(l);
		image_load_abort(l);
		ok(!o.done, "the end is told by the loop");
		wait_done(w, &o);
		is_int(o.result, -ECANCELED, "aborted after %zu bytes", n);
		outcome_done(&o);
		nothing_left(w, "abort");
	}
}

static void dies(struct world *w, const struct buf *data)
{
	struct outcome o = {0};
	struct image_load *l = start(w, &o);
	pid_t pid = only_child();

	ok(pid > 0, "the helper is our child");
	ok(image_load_write(l, data->data, data->len / 2) > 0, "half of it");
	if (pid > 0)
		(void)kill(pid, SIGKILL);
	wait_done(w, &o);
	ok(o.result == -EIO && o.e.kind == ERR_INTERNAL &&
		   streq(o.e.msg, "the process that reads the archive ended early (signal 9)"),
	   "a helper that is killed: %s", o.e.msg);
	outcome_done(&o);
	nothing_left(w, "killed helper");
}

/* it ends while the client goes on sending */
static void refuses_early(struct world *w)
{
	struct outcome o = {0};
	struct image_load *l = start(w, &o);
	int64_t end = clock_mono_ns() + 20 * NS_PER_S;
	char *junk = malloc(1 << 20);
	ssize_t n = 0;

	memset(junk, 'j', 1 << 20);
	while (n >= 0 && !o.done && clock_mono_ns() < end) {
		n = image_load_write(l, junk, 1 << 20);
		(void)loop_run_once(w->loop, 10);
	}
	ok(o.done || n == -EPIPE, "no more is taken");
	/* the pipe may break before the loop sees it */
	while (!o.done && !o.writable && clock_mono_ns() < end)
		(void)loop_run_once(w->loop, 10);
	ok(o.done || o.writable, "and a waiting client is woken");
	wait_done(w, &o);
	ok(o.result < 0 && strstr(o.e.msg, "Unrecognized archive format"), "the reason: %s",
	   o.e.msg);
	outcome_done(&o);
	free(junk);
	nothing_left(w, "refused early");
}

static void closes(struct world *w, const struct buf *data)
{
	struct outcome o[2] = {0};
	struct image_load *l = start(w, &o[0]);

	(void)start(w, &o[1]);
	ok(image_load_write(l, data->data, data->len / 2) > 0, "half of it");
	images_close(w->images);
	ok(o[0].done && o[1].done && o[0].result == -ECANCELED && o[1].result == -ECANCELED,
	   "closing ends what is under way");
	w->images = NULL;
	world_close(w);
	world_open(w);
	nothing_left(w, "closed in the middle");
	outcome_done(&o[0]);
	outcome_done(&o[1]);
}

static void no_helper(struct world *w)
{
	struct outcome o = {0};
	struct image_load_ops ops = outcome_ops(&o);
	struct image_load *l;
	struct err e = {0};
	const char *good = w->config.helper;

	world_close(w);
	w->config.helper = "/nonexistent/helper";
	world_open(w);
	is_err(image_load_start(w->images, &ops, &l, &e), e, ERR_INTERNAL,
	       "cannot start /nonexistent/helper: No such file or directory");
	nothing_left(w, "no helper");
	world_close(w);
	w->config.helper = good;
	world_open(w);
}

static void store_fails(struct world *w, const struct buf *data)
{
	for (unsigned n = 1; n <= 2; n++) { /* the image's row, its tag's */
		struct outcome o = {0};
		struct image_load *l = start(w, &o);

		db_fail_at(w->db, n);
		load_all(w, l, data, 64u << 10, &o);
		db_fail_at(w->db, 0);
		ok(o.result < 0 && !o.told && !o.ids, "the store fails at write %u: %s", n,
		   o.e.msg);
		outcome_done(&o);
		nothing_left(w, "failed store");
	}
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);
	struct buf layer = BUF_INIT(ROOM);
	auto_buf struct buf good = BUF_INIT(ROOM);
	struct outcome o = {0};

	if (why)
		return tap_skip_all(why);
	world_open(&w);
	TAR(&layer, "tar", {"a", 'f', "a"});
	docker_archive(&good, &(struct spec){&layer, 1, "good:1"});
	hostile_layers(&w);
	hostile_archives(&w);
	no_archives(&w);
	truncated(&w);
	bombs(&w);
	aborts(&w, &good);
	dies(&w, &good);
	refuses_early(&w);
	closes(&w, &good);
	no_helper(&w);
	store_fails(&w, &good);
	load_bytes(&w, &good, &o);
	is_int(o.result, 0, "a good one afterwards");
	outcome_done(&o);
	world_close(&w);
	buf_done(&layer);
	free(w.dir);
	return tap_done();
}
