/* SPDX-License-Identifier: GPL-2.0-or-later */
/* finding, listing, tagging, removing and holding images, without the helper: Docker's words */

#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "image/internal.h"
#include "state/tables.h"
#include "tap.h"
#include "world.h"

/* A layer of its own and one that all share, put where a load would. */
static void put_layer(struct world *w, const char *chain)
{
	auto_free char *tmp = NULL, *diff = NULL;

	if (storage_layer_tmp(w->storage, &tmp, NULL) < 0)
		abort();
	diff = str_printf("%s/l0", tmp);
	if (mkdir(diff, 0755) < 0 || storage_layer_commit(w->storage, diff, chain, NULL) < 0)
		abort();
	storage_trash(w->storage, tmp);
}

static const char *diff_id(char digit, char out[DIGEST_SIZE])
{
	(void)snprintf(out, DIGEST_SIZE, "sha256:%064d", 0);
	memset(out + strlen("sha256:"), digit, 64);
	return out;
}

/* Return: its id */
static char *put(struct world *w, char digit, const char *created, const char *const *tags)
{
	char base[DIGEST_SIZE], own[DIGEST_SIZE], chain[DIGEST_SIZE];
	auto_free char *config = NULL, *line = NULL;
	struct report r;
	char *id;

	(void)diff_id('0', base);
	(void)diff_id(digit, own);
	chain_next(base, own, chain);
	put_layer(w, base);
	put_layer(w, chain);
	config =
		str_printf("{ \"created\":\"%s\",\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[\"%s\","
			   "\"%s\"]}}",
			   created, base, own);
	line = str_printf(
		"{\"layer\":{\"chain\":\"%s\",\"diff\":\"%s\",\"dir\":\"l0\",\"size\":10}}", base,
		base);
	if (report_new(&r) < 0 || report_line(&r, line, strlen(line), NULL) < 0)
		abort();
	free(line);
	line = str_printf(
		"{\"layer\":{\"chain\":\"%s\",\"diff\":\"%s\",\"dir\":\"l1\",\"size\":5}}", chain,
		own);
	if (report_line(&r, line, strlen(line), NULL) < 0 ||
	    report_add_image(&r, config, (char *const *)(uintptr_t)tags, NULL) < 0 ||
	    images_store(w->images, &r, NULL) < 0)
		abort();
	id = strdup(r.images[0].id);
	report_done(&r);
	world_settle(w);
	return id;
}

static struct image *find(struct world *w, const char *ref)
{
	struct image *i = NULL;

	return image_find(w->images, ref, &i, NULL) < 0 ? NULL : i;
}

static void not_found(struct world *w, const char *ref, enum err_kind kind, const char *says)
{
	struct image *i = NULL;
	struct err e = {0};

	is_err(image_find(w->images, ref, &i, &e), e, kind, says);
}

struct use {
	int how;
};

static int used(const char *image_id, char short_id[13], void *data)
{
	(void)image_id;
	(void)snprintf(short_id, 13, "0123456789ab");
	return ((struct use *)data)->how;
}

/* Return: the answer as "U:name D:image D:layer ..." with ids cut, or the error */
static char *rm(struct world *w, const char *ref, bool force, int how)
{
	auto_json json_t *out = json_array();
	auto_buf struct buf b = BUF_INIT(4096);
	struct use u = {how};
	struct err e = {0};
	const json_t *row;
	size_t i;

	if (image_remove(w->images, ref, force, used, &u, out, &e) < 0) {
		world_settle(w);
		return str_printf("%d %s", e.kind == ERR_CONFLICT ? 409 : (int)e.kind, e.msg);
	}
	json_array_foreach(out, i, row)
	{
		const char *t = json_string_value(json_object_get(row, "Untagged"));
		const char *d = json_string_value(json_object_get(row, "Deleted"));

		(void)buf_printf(&b, "%s%c:%.*s", i ? " " : "", t ? 'U' : 'D', t ? 100 : 12,
				 t ? t : d + strlen("sha256:"));
	}
	world_settle(w);
	return b.data ? buf_take(&b) : strdup("");
}

static void is_rm(struct world *w, const char *ref, bool force, int how, const char *want)
{
	auto_free char *got = rm(w, ref, force, how);

	is_str(got, want, "rmi%s %.30s, %d", force ? " -f" : "", ref, how);
}

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define T1	  "2024-01-01T00:00:00Z"
#define T2	  "2025-01-01T00:00:00Z"

static void finding(struct world *w)
{
	auto_free char *a = put(w, '1', T2, TAGS("busybox:latest", "reg.example.com/x/y:2"));
	auto_free char *b = put(w, '2', T1, NULL);
	auto_free char *by_digest = str_printf("whatever@%s", a);
	static const char missing[] =
		"No such image: sha256:"
		"0000000000000000000000000000000000000000000000000000000000000000";
	char prefix[24];
	struct image *i;

	ok((i = find(w, "busybox")) && streq(image_id(i), a), "by a name without a tag");
	ok(find(w, "docker.io/library/busybox:latest") == i, "by its whole name");
	ok(find(w, "reg.example.com/x/y:2") == i, "by another name");
	ok(find(w, a) == i && find(w, a + 7) == i, "by its id");
	(void)snprintf(prefix, sizeof(prefix), "%.12s", a + 7);
	ok(find(w, prefix) == i, "by twelve digits");
	(void)snprintf(prefix, sizeof(prefix), "%.19s", a);
	ok(find(w, prefix) == i, "with the algorithm");
	ok(find(w, by_digest) == i, "by its digest");
	ok(find(w, b) && find(w, b) != i, "one without a name");
	is_int(images_count(w->images), 2, "two");
	ok(image_next(w->images, NULL) == i && image_next(w->images, i) == find(w, b) &&
		   !image_next(w->images, find(w, b)),
	   "the newest first");
	is_int(image_created_ns(i), 1735689600 * NS_PER_S, "its age");
	is_int(image_size(i), 15, "its size");
	is_int(strv_len(image_layers(i)), 2, "its layers");
	is_str(image_tags(i)[1], "reg.example.com/x/y:2", "its names");
	ok(!image_tags(find(w, b)), "none");
	not_found(w, "busybox:1", ERR_NOT_FOUND, "No such image: busybox:1");
	not_found(w, "nope", ERR_NOT_FOUND, "No such image: nope:latest");
	not_found(w, "docker.io/library/nope", ERR_NOT_FOUND, "No such image: nope:latest");
	not_found(w, "", ERR_INVALID, "invalid reference format");
	not_found(w, "UPPER", ERR_INVALID,
		  "invalid reference format: repository name (library/UPPER) must be lowercase");
	not_found(w, missing + strlen("No such image: "), ERR_NOT_FOUND, missing);
	not_found(w, missing + strlen("No such image: sha256:"), ERR_NOT_FOUND, missing);
	free(rm(w, a, true, 0));
	free(rm(w, b, true, 0));
	is_int(world_count(w, "layers"), 0, "no layer");
}

/* two ids with a common first digit: it names neither */
static void ambiguous(struct world *w)
{
	char first[17] = "";
	char *ids[17];
	char prefix[2] = "";

	for (int n = 0; n < 17; n++) {
		auto_free char *when = str_printf("2024-01-01T00:00:%02dZ", n);

		ids[n] = put(w, '3', when, NULL);
		if (strchr(first, ids[n][7]))
			prefix[0] = ids[n][7];
		first[strlen(first)] = ids[n][7];
		first[16] = '\0';
	}
	ok(prefix[0] && !find(w, prefix), "an ambiguous prefix");
	for (int n = 0; n < 17; n++) {
		free(rm(w, ids[n], false, 0));
		free(ids[n]);
	}
}

static void tagging(struct world *w)
{
	auto_free char *a = put(w, '1', T1, TAGS("a:1")), *b = put(w, '2', T1, TAGS("b:1"));
	struct image *i = find(w, "a:1");
	struct err e = {0};

	is_int(image_tag(w->images, i, "c", NULL, &e), 0, "tagged");
	ok(find(w, "c:latest") == i, "as latest");
	is_int(image_tag(w->images, i, "c:x", "y", &e), 0, "a tag beside a tag");
	ok(find(w, "c:y") == i && !find(w, "c:x"), "the tag alone counts");
	is_int(image_tag(w->images, i, "b", "1", &e), 0, "a name of another image");
	ok(find(w, "b:1") == i && !image_tags(find(w, b)), "moves");
	is_int(image_tag(w->images, i, "b", "1", &e), 0, "once more");
	is_int(strv_len(image_tags(i)), 4, "each name once");
	is_err(image_tag(w->images, i, "UPPER", NULL, &e), e, ERR_INVALID,
	       "invalid reference format: repository name (library/UPPER) must be lowercase");
	is_err(image_tag(w->images, i, "x", "a b", &e), e, ERR_INVALID, "invalid tag format");
	is_err(image_tag(w->images, i, "", "1", &e), e, ERR_INVALID, "invalid reference format");
	auto_free char *digest = str_printf("x@%s", a);

	is_err(image_tag(w->images, i, digest, NULL, &e), e, ERR_INVALID,
	       "refusing to create a tag with a digest reference");
	world_close(w);
	world_open(w);
	ok((i = find(w, "a:1")) && find(w, "c") == i && find(w, "c:y") == i && find(w, "b:1") == i,
	   "all of it after a restart");
	free(rm(w, a, true, 0));
	free(rm(w, b, true, 0));
}

static void removing(struct world *w)
{
	auto_free char *a = put(w, '1', T1, TAGS("busy:1", "busy:2"));
	char base[DIGEST_SIZE], own[DIGEST_SIZE], chain[DIGEST_SIZE];
	char id[13];

	chain_next(diff_id('0', base), diff_id('1', own), chain);
	(void)snprintf(id, sizeof(id), "%s", a + 7);
	auto_free char *several = str_printf("409 conflict: unable to delete %s (must be forced) - "
					     "image is referenced in multiple repositories",
					     id);
	auto_free char *running =
		str_printf("409 conflict: unable to delete %s (cannot be forced) - "
			   "image is being used by running container 0123456789ab",
			   id);
	auto_free char *stopped =
		str_printf("409 conflict: unable to delete %s (must be forced) - "
			   "image is being used by stopped container 0123456789ab",
			   id);
	auto_free char *by_name =
		str_printf("409 conflict: unable to remove repository reference \"busy:1\" (must "
			   "force) - container 0123456789ab is using its referenced image %s",
			   id);
	auto_free char *all = str_printf("U:busy:1 D:%s D:%.12s D:%.12s", id, chain + 7, base + 7);
	auto_free char *same = str_printf("U:busy:1 U:busy:2 D:%s D:%.12s", id, chain + 7);

	is_rm(w, id, false, 0, several);
	is_rm(w, a, false, 0, several);
	is_rm(w, id, true, 2, running);
	is_rm(w, "busy:2", false, 2, "U:busy:2");
	is_rm(w, "busy:1", false, 1, by_name);
	is_rm(w, "busy:1", false, 2, by_name);
	is_rm(w, id, false, 1, stopped);
	is_rm(w, id, false, 2, running);
	is_rm(w, "busy:1", true, 2, "U:busy:1");
	ok(find(w, a) && !image_tags(find(w, a)), "a running container keeps it, nameless");
	is_int(image_tag(w->images, find(w, a), "busy", "1", NULL), 0, "named again");
	is_rm(w, "busy:1", false, 0, all);
	ok(!find(w, a), "gone");
	is_int(world_count(w, "layers"), 0, "with its layers");
	free(put(w, '1', T1, TAGS("busy:1", "busy:2")));
	free(put(w, '2', T1, TAGS("other:1")));
	is_rm(w, a, true, 0, same);
	is_int(world_count(w, "layers"), 2, "what another image has stays");
	free(rm(w, "other:1", false, 0));
	is_rm(w, "nope", false, 0, "2 No such image: nope:latest");
}

static void holding(struct world *w)
{
	auto_free char *a = put(w, '1', T1, TAGS("held:1"));
	auto_free char *only = str_printf("U:held:1 D:%.12s", a + 7);
	auto_free char *gone = str_printf("2 No such image: %s", a);

	image_hold(w->images, a);
	image_hold(w->images, a);
	is_rm(w, "held:1", true, 1, only);
	ok(!find(w, "held:1") && !find(w, a + 7), "deleted by force");
	is_int(images_count(w->images), 0, "not listed");
	ok(!image_next(w->images, NULL), "nor walked");
	ok(find(w, a), "but there for its containers");
	is_int(world_count(w, "layers"), 2, "with its layers");
	is_rm(w, a, true, 0, gone);
	image_release(w->images, a);
	is_int(world_count(w, "layers"), 2, "one container is left");
	world_close(w);
	world_open(w);
	image_hold(w->images, a);
	ok(find(w, a) && image_tags(find(w, a)) == NULL, "after a restart");
	is_int(images_count(w->images), 0, "still hidden");
	image_release(w->images, a);
	world_settle(w);
	ok(!find(w, a), "it goes with the last container");
	is_int(world_count(w, "layers"), 0, "and its layers");
	image_release(w->images, a); /* one too many does no harm */
}

static void done_0(int result, void *data)
{
	*(int *)data = result;
}

/* The container's row went, then the engine died; and: loaded again while hidden. */
static void hidden_ends(struct world *w)
{
	auto_free char *a = put(w, '1', T1, TAGS("held:1")), *again = NULL;
	int result = 1;

	image_hold(w->images, a);
	free(rm(w, "held:1", true, 1));
	again = put(w, '1', T1, TAGS("again:1"));
	is_str(again, a, "loaded again");
	ok(find(w, "again:1") && image_next(w->images, NULL), "it is back");
	is_int(images_count(w->images), 1, "and counted");
	world_close(w);
	world_open(w);
	ok(find(w, "again:1") != NULL, "in the store too");
	image_hold(w->images, a);
	free(rm(w, "again:1", true, 1));
	is_int(images_count(w->images), 0, "hidden once more");
	world_close(w);
	world_open(w);
	is_int(images_builtin(w->images, done_0, &result), 0, "recovery is over");
	world_settle(w);
	is_int(result, 0, "no built-in image: nothing to do");
	ok(!find(w, a) && world_count(w, "layers") == 0, "nobody holds it: swept");
}

static int first_text(const struct image_row *row, void *data)
{
	*(char **)data = strdup(row->config_json);
	return 1;
}

/* the id is the digest of the stored text, whatever happened to the row */
static void verbatim(struct world *w)
{
	auto_free char *a = put(w, '1', T1, NULL), *text = NULL;
	char id[DIGEST_SIZE];

	image_hold(w->images, a);
	free(rm(w, a, true, 1));
	ok(image_each(w->db, first_text, &text, NULL) == 1, "its row");
	digest_of(text, strlen(text), id);
	is_str(id, a, "the config is as it came");
	image_release(w->images, a);
	world_settle(w);
}

static void bad_rows(struct world *w)
{
	auto_free char *a = put(w, '1', T1, TAGS("good:1"));
	struct image_row row = {.id = "sha256:bad", .layers_json = "[]", .config_json = "{"};

	is_int(image_put(w->db, &row, NULL), 0, "a row that cannot be read");
	world_close(w);
	world_open(w);
	ok(find(w, "good:1") != NULL, "the others are there");
	is_int(images_count(w->images), 1, "and it is left out");
	is_int(image_del(w->db, "sha256:bad", NULL), 0, "away");
	free(rm(w, a, true, 0));
}

static void failing_store(struct world *w)
{
	auto_free char *a = put(w, '1', T1, TAGS("x:1", "x:2"));
	auto_json json_t *out = json_array();
	struct err e = {0};

	image_hold(w->images, a);
	db_fail_at(w->db, 2);
	ok(image_remove(w->images, "x:1", true, NULL, NULL, out, &e) == 0, "one name");
	ok(image_remove(w->images, "x:2", true, NULL, NULL, out, &e) < 0, "the store fails");
	db_fail_at(w->db, 0);
	ok(find(w, "x:2") && images_count(w->images) == 1, "memory is as the store is");
	image_release(w->images, a);
	free(rm(w, a, true, 0));
}

int main(void)
{
	struct world w;
	const char *why = world_enter(&w);

	if (why)
		return tap_skip_all(why);
	world_open(&w);
	finding(&w);
	ambiguous(&w);
	tagging(&w);
	removing(&w);
	holding(&w);
	hidden_ends(&w);
	verbatim(&w);
	bad_rows(&w);
	failing_store(&w);
	is_int(world_count(&w, "layers") + world_count(&w, "trash"), 0, "nothing is left");
	world_close(&w);
	free(w.dir);
	return tap_done();
}
