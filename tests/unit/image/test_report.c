/* SPDX-License-Identifier: GPL-2.0-or-later */
/* the helper's lines: nothing in them is believed */

#include "image/report.h"

#include "base/jsonw.h"
#include "base/str.h"
#include "tap.h"

#define A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static int line(struct report *r, const char *text, struct err *e)
{
	return report_line(r, text, strlen(text), e);
}

static int layer(struct report *r, const char *chain, const char *diff, const char *dir,
		 const char *size, struct err *e)
{
	auto_free char *text =
		str_printf("{\"layer\":{\"chain\":\"%s\",\"diff\":\"%s\",\"dir\":\"%s\",\"size\":"
			   "%s}}",
			   chain, diff, dir, size);

	return line(r, text, e);
}

static int image(struct report *r, const char *config, const char *tags, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_object(&w, "image");
	jsonw_str(&w, "config", config);
	jsonw_raw(&w, "tags", tags);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	return line(r, buf_str(&b), e);
}

#define CONFIG(ids) "{\"os\":\"linux\",\"rootfs\":{\"diff_ids\":[" ids "]}}"

static void good(void)
{
	struct report r;
	struct err e = {0};
	char chain[DIGEST_SIZE];

	if (report_new(&r) < 0)
		return;
	chain_next(A, B, chain);
	is_int(layer(&r, A, A, "l0", "5", &e), 0, "a layer");
	is_int(layer(&r, chain, B, "l1", "7", &e), 0, "another");
	is_int(image(&r, CONFIG("\"" A "\",\"" B "\""), "[\"x:1\",\"docker.io/library/x:1\"]", &e),
	       0, "an image");
	is_int(r.n_images, 1, "one");
	is_int(r.images[0].size, 12, "its size");
	is_str(r.images[0].layers[1], chain, "chain ids");
	ok(strv_len(r.images[0].tags) == 1 && streq(r.images[0].tags[0], "x:1"),
	   "names are told apart by what they mean");
	is_int(image(&r, CONFIG("\"" A "\",\"" B "\""), "[\"y:2\"]", &e), 0, "the same again");
	ok(r.n_images == 1 && strv_len(r.images[0].tags) == 2, "adds its name");
	is_int(line(&r, "{\"end\":true}", &e), 0, "the end");
	ok(r.ended, "is seen");
	is_err(line(&r, "{\"end\":true}", &e), e, ERR_INVALID,
	       "the helper's report goes on after its end");
	report_done(&r);
}

static void bad_layers(void)
{
	static const struct {
		const char *what, *chain, *diff, *dir, *size;
	} cases[] = {
		{"chain", "sha256:zz", A, "l0", "1"},
		{"diff", A, "../x", "l0", "1"},
		{"directory", A, A, "../../etc", "1"},
		{"no number", A, A, "l", "1"},
		{"a blob", A, A, "b0", "1"},
		{"a path", A, A, "l0/x", "1"},
		{"dots", A, A, "..", "1"},
		{"long", A, A, "l00000000000000000001", "1"},
		{"minus", A, A, "l0", "-1"},
		{"huge", A, A, "l0", "9000000000000000000"},
		{"no size", A, A, "l0", "\"1\""},
	};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report r;

		ok(report_new(&r) == 0 && layer(&r, cases[i].chain, cases[i].diff, cases[i].dir,
						cases[i].size, &e) < 0,
		   "refused: %s", cases[i].what);
		report_done(&r);
	}
	struct report r;

	ok(report_new(&r) == 0 && layer(&r, A, A, "l0", "1", &e) == 0 &&
		   layer(&r, A, B, "l1", "1", &e) < 0,
	   "one layer twice");
	report_done(&r);
}

static void bad_images(void)
{
	static const struct {
		const char *config, *tags, *says;
	} cases[] = {
		{"", "[]", ""},
		{"[]", "[]", "invalid image config: not an object"},
		{"{}", "[]", "invalid image config: no rootfs"},
		{CONFIG("\"" B "\""), "[]", "layer " B " of the image did not come"},
		{CONFIG("\"" A "\""), "[\"x\"]", "invalid tag \"x\""},
		{CONFIG("\"" A "\""), "[\"X:1\"]",
		 "invalid tag \"X:1\": invalid reference format: repository name (library/X) must "
		 "be "
		 "lowercase"},
		{CONFIG("\"" A "\""), "[\"x:1@" A "\"]", "invalid tag \"x:1@" A "\""},
		{CONFIG("\"" A "\""), "{}", ""},
		{"{\"os\":\"plan9\",\"rootfs\":{}}", "[]", "cannot load plan9 image on linux"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct report r;
		struct err e = {0};

		ok(report_new(&r) == 0 && layer(&r, A, A, "l0", "1", &e) == 0, "a layer");
		int rc = image(&r, cases[i].config, cases[i].tags, &e);

		if (*cases[i].says)
			is_err(rc, e, ERR_INVALID, cases[i].says);
		else
			ok(rc < 0 && *e.msg, "refused: %s", e.msg);
		is_int(r.n_images, 0, "none");
		report_done(&r);
	}
}

/* a chain id that does not follow from the config's diff ids is another layer's */
static void wrong_chain(void)
{
	struct report r;
	struct err e = {0};

	ok(report_new(&r) == 0 && layer(&r, A, B, "l0", "1", &e) == 0, "A with the diff id of B");
	is_err(image(&r, CONFIG("\"" A "\""), "[]", &e), e, ERR_INVALID,
	       "layer " A " of the image did not come");
	report_done(&r);
}

static void other_lines(void)
{
	static const char *const bad[] = {"",
					  "x",
					  "{}",
					  "[]",
					  "1",
					  "{\"end\":false}",
					  "{\"layer\":1}",
					  "{\"image\":{}}",
					  "{\"error\":5}"};
	struct report r;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		ok(report_new(&r) == 0 && line(&r, bad[i], &e) < 0, "refused: %s", bad[i]);
		report_done(&r);
	}
	ok(report_new(&r) == 0 && line(&r, "{\"error\":\"no space\"}", &e) == 0, "an error");
	is_str(r.error.msg, "no space", "its text");
	ok(!r.ended && line(&r, "{\"end\":true}", &e) < 0, "and no end after it");
	report_done(&r);
}

static void too_many(void)
{
	struct report r;
	struct err e = {0};
	int rc = report_new(&r);

	for (int i = 0; rc >= 0 && i < 2000; i++) {
		auto_free char *config = str_printf("{\"n\":%d,\"rootfs\":{}}", i);

		rc = report_add_image(&r, config, NULL, &e);
	}
	is_err(rc, e, ERR_INVALID, "the archive has too many images");
	is_int(r.n_images, 1024, "images");
	report_done(&r);
}

int main(void)
{
	good();
	bad_layers();
	bad_images();
	wrong_chain();
	other_lines();
	too_many();
	return tap_done();
}
