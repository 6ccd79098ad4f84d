/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image references, as distribution/reference reads them */

#include "image/ref.h"

#include "base/str.h"
#include "tap.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *text, *canonical, *familiar;
} good[] = {
	{"busybox", "docker.io/library/busybox:latest", "busybox:latest"},
	{"busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"},
	{"library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
	{"docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
	{"index.docker.io/library/busybox", "docker.io/library/busybox:latest", "busybox:latest"},
	{"docker.io/library/a/b:1", "docker.io/library/a/b:1", "library/a/b:1"},
	{"user/app:v1", "docker.io/user/app:v1", "user/app:v1"},
	{"localhost/x", "localhost/x:latest", "localhost/x:latest"},
	{"localhost:5000/x/y:t", "localhost:5000/x/y:t", "localhost:5000/x/y:t"},
	{"127.0.0.1:5000/x", "127.0.0.1:5000/x:latest", "127.0.0.1:5000/x:latest"},
	{"[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"},
	{"reg.example.com/a/b/c", "reg.example.com/a/b/c:latest", "reg.example.com/a/b/c:latest"},
	{"UPPER/x", "UPPER/x:latest", "UPPER/x:latest"},
	{"a.b-c_d__e:T.a-g_1", "docker.io/library/a.b-c_d__e:T.a-g_1", "a.b-c_d__e:T.a-g_1"},
	{"a---b", "docker.io/library/a---b:latest", "a---b:latest"},
	{"x@sha256:" HEX, "docker.io/library/x@sha256:" HEX, "x@sha256:" HEX},
	{"x:t@sha256:" HEX, "docker.io/library/x:t@sha256:" HEX, "x:t@sha256:" HEX},
	{"docker.io/evil.com/x", "docker.io/evil.com/x:latest", "docker.io/evil.com/x:latest"},
	{"docker.io/localhost/x", "docker.io/localhost/x:latest", "docker.io/localhost/x:latest"},
	{"sha256:abc", "docker.io/library/sha256:abc", "sha256:abc"},
};

static const struct {
	const char *text, *says;
} bad[] = {
	{"", "invalid reference format"},
	{":tag", "invalid reference format"},
	{"/x", "invalid reference format"},
	{"x/", "invalid reference format"},
	{"x//y", "invalid reference format"},
	{"x:", "invalid reference format"},
	{"x:-t", "invalid reference format"},
	{"x:a b", "invalid reference format"},
	{"x:a:b", "invalid reference format"},
	{"-x", "invalid reference format"},
	{"x-", "invalid reference format"},
	{"x..y", "invalid reference format"},
	{"x___y", "invalid reference format"},
	{"x._y", "invalid reference format"},
	{"x y", "invalid reference format"},
	{"x\ny", "invalid reference format"},
	{"../x", "invalid reference format"},
	{"x/../y", "invalid reference format"},
	{"\303\244", "invalid reference format"},
	{"host:port/x", "invalid reference format"},
	{"[::1/x", "invalid reference format"},
	{"[]:1/x", "invalid reference format"},
	{"x@", "invalid reference format"},
	{"x@sha256", "invalid reference format"},
	{"x@sha256:" HEX "@y", "invalid reference format"},
	{"x@md5:" HEX, "unsupported digest algorithm"},
	{"x@sha256:0123456789abcdef0123456789abcdef", "invalid checksum digest length"},
	{"X", "invalid reference format: repository name (library/X) must be lowercase"},
	{"a/X:1", "invalid reference format: repository name (a/X) must be lowercase"},
	{HEX, "invalid repository name (" HEX "), cannot specify 64-byte hexadecimal strings"},
};

static void lengths(void)
{
	auto_free char *name = calloc(1, 512), *tag = calloc(1, 512);
	struct image_ref r = {0};
	struct err e = {0};

	memset(name, 'a', 255 - strlen("docker.io/library/"));
	is_int(image_ref_parse(name, &r, &e), 0, "255 characters");
	image_ref_done(&r);
	name[strlen(name)] = 'a';
	is_err(image_ref_parse(name, &r, &e), e, ERR_INVALID,
	       "repository name must not be more than 255 characters");
	memset(tag, 't', 128);
	ok(image_tag_ok(tag), "a tag of 128");
	tag[128] = 't';
	ok(!image_tag_ok(tag), "not of 129");
	ok(!image_tag_ok("") && !image_tag_ok(".x") && !image_tag_ok("a/b") && image_tag_ok("_1"),
	   "tags");
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct image_ref r = {0};
		struct err e = {0};

		if (!is_int(image_ref_parse(good[i].text, &r, &e), 0, "%s", good[i].text)) {
			printf("# %s\n", e.msg);
			continue;
		}
		auto_free char *canonical = image_ref_canonical(&r);
		auto_free char *familiar = image_ref_familiar(&r);

		is_str(canonical, good[i].canonical, "canonical");
		is_str(familiar, good[i].familiar, "familiar");
		image_ref_done(&r);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image_ref r = {0};
		struct err e = {0};

		is_err(image_ref_parse(bad[i].text, &r, &e), e, ERR_INVALID, bad[i].says);
	}
	lengths();
	return tap_done();
}
