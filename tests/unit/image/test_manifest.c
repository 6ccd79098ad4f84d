/* SPDX-License-Identifier: GPL-2.0-or-later */
/* the JSON files of archives, digests and chain ids */

#include "image/manifest.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/str.h"
#include "image/chain.h"
#include "tap.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void chains(void)
{
	char out[DIGEST_SIZE];

	digest_of("", 0, out);
	is_str(out, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	       "of nothing");
	chain_next(NULL, A, out);
	is_str(out, A, "the first is its diff id");
	chain_next(out, B, out);
	/* printf '%s %s' A B | sha256sum */
	is_str(out, "sha256:ccd722928bd92476ba1745586fed6e45a102504185ad88cd89e01ff116fd146c",
	       "the next hashes both");
	ok(digest_ok(A) && !digest_ok("sha256:aa") && !digest_ok(A "a") && !digest_ok(NULL) &&
		   !digest_ok(
			   "sha512:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	   "digests");
}

static void docker(void)
{
	static const char text[] = "[{\"Config\":\"c\",\"RepoTags\":[\"a:1\",\"b:2\"],\"Layers\":["
				   "\"x\",\"y\"]},{\"Config\":\"d\",\"RepoTags\":null}]";
	static const char *const bad[] = {"",
					  "null",
					  "{}",
					  "[]",
					  "[1]",
					  "[{}]",
					  "[{\"Config\":\"\"}]",
					  "[{\"Config\":[]}]",
					  "[{\"Config\":\"c\",\"Layers\":{}}]",
					  "[{\"Config\":\"c\",\"Layers\":[1]}]",
					  "[{\"Config\":\"c\",\"RepoTags\":\"x\"}]"};
	struct archive_image *v = NULL;
	size_t n = 0;
	struct err e = {0};

	is_int(manifest_docker(text, strlen(text), &v, &n, &e), 0, "two images");
	is_int(n, 2, "number");
	is_str(v[0].config, "c", "config");
	is_str(v[0].tags[1], "b:2", "tags");
	is_str(v[0].layers[1], "y", "layers");
	ok(!v[1].tags && !v[1].layers, "none");
	archive_images_free(v, n);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		e = (struct err){0};
		ok(manifest_docker(bad[i], strlen(bad[i]), &v, &n, &e) < 0 &&
			   e.kind == ERR_INVALID && *e.msg,
		   "refused: %s", bad[i]);
	}
	auto_buf struct buf many = BUF_INIT(1 << 20);

	(void)buf_puts(&many, "[{\"Config\":\"c\",\"Layers\":[\"l\"");
	for (int i = 1; i < 128; i++)
		(void)buf_puts(&many, ",\"l\"");
	(void)buf_puts(&many, "]}]");
	is_err(manifest_docker(buf_str(&many), many.len, &v, &n, &e), e, ERR_INVALID,
	       "the image has 128 layers, at most 127 are taken");
}

static void index_of(void)
{
	static const char text[] =
		"{\"manifests\":["
		"{\"digest\":\"" A "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\"}},"
		"{\"digest\":\"" A "\",\"platform\":{\"os\":\"windows\"}},"
		"{\"digest\":\"" A "\",\"annotations\":{\"vnd.docker.reference.type\":\"x\"}},"
		"{\"digest\":\"" B "\",\"mediaType\":\"application/vnd.oci.image.index.v1+json\","
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"latest\"}},"
		"{\"digest\":\"" A "\",\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},"
		"\"annotations\":{\"io.containerd.image.name\":\"docker.io/library/x:1\","
		"\"org.opencontainers.image.ref.name\":\"1\"}}]}";
	static const char *const bad[] = {"[]",
					  "{\"manifests\":{}}",
					  "{\"manifests\":[1]}",
					  "{\"manifests\":[{}]}",
					  "{\"manifests\":[{\"digest\":\"sha256:..\"}]}",
					  "{\"manifests\":[{\"digest\":\"" A
					  "\"},{\"digest\":7}]}"};
	struct oci_entry *v = NULL;
	size_t n = 0;
	struct err e = {0};

	is_int(manifest_oci_index(text, strlen(text), "amd64", &v, &n, &e), 0, "an index");
	is_int(n, 2, "two are for this machine");
	ok(v[0].is_index && !v[0].name, "a nested one, without a whole name");
	is_str(v[0].digest, B, "its digest");
	ok(!v[1].is_index, "a manifest");
	is_str(v[1].name, "docker.io/library/x:1", "with a name");
	oci_entries_free(v, n);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(manifest_oci_index(bad[i], strlen(bad[i]), "amd64", &v, &n, &e) < 0,
		   "refused: %s", bad[i]);
}

static void oci(void)
{
	static const char text[] = "{\"config\":{\"digest\":\"" A "\"},\"layers\":[{\"digest\":\"" B
				   "\"},{\"digest\":\"" A "\"}]}";
	static const char *const bad[] = {
		"1", "{}", "{\"config\":{}}", "{\"config\":{\"digest\":\"x\"}}",
		"{\"config\":{\"digest\":\"" A "\"},\"layers\":[{\"digest\":\"" B "\"},{}]}"};
	struct archive_image *im = calloc(1, sizeof(*im));
	struct err e = {0};

	is_int(manifest_oci(text, strlen(text), im, &e), 0, "a manifest");
	is_str(im->config, A, "config");
	is_int(strv_len(im->layers), 2, "layers");
	archive_images_free(im, 1);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct archive_image out = {0};

		ok(manifest_oci(bad[i], strlen(bad[i]), &out, &e) < 0 && !out.config, "refused: %s",
		   bad[i]);
	}
}

static int diff_ids(const char *text, char ***ret, struct err *e)
{
	auto_json json_t *j = NULL;

	return json_read(text, strlen(text), &j, NULL) < 0 ? -EIO : config_diff_ids(j, ret, e);
}

static void configs(void)
{
	auto_strv char **ids = NULL;
	char **none = NULL;
	struct err e = {0};

	is_int(diff_ids("{\"rootfs\":{\"diff_ids\":[\"" A "\",\"" B "\"]}}", &ids, &e), 0, "two");
	is_str(ids ? ids[1] : NULL, B, "in their order");
	ok(diff_ids("{\"rootfs\":{}}", &none, &e) == 0 && !none, "none");
	is_err(diff_ids("{}", &none, &e), e, ERR_INVALID, "invalid image config: no rootfs");
	is_err(diff_ids("[]", &none, &e), e, ERR_INVALID, "invalid image config: not an object");
	is_err(diff_ids("{\"rootfs\":{\"diff_ids\":[\"x\"]}}", &none, &e), e, ERR_INVALID,
	       "invalid image config: diff id x");
	ok(diff_ids("{\"rootfs\":{\"diff_ids\":[1]}}", &none, &e) < 0, "no strings");
}

int main(void)
{
	chains();
	docker();
	index_of();
	oci();
	configs();
	return tap_done();
}
