/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image names as users type them */

#include "cli/refname.h"

#include "base/str.h"
#include "tap.h"

static const struct {
	const char *text, *domain, *path, *tag, *digest, *whole;
} names[] = {
	{"busybox", "docker.io", "library/busybox", "", "", "docker.io/library/busybox"},
	{"busybox:1", "docker.io", "library/busybox", "1", "", "docker.io/library/busybox:1"},
	{"user/app:v1", "docker.io", "user/app", "v1", "", "docker.io/user/app:v1"},
	{"index.docker.io/x", "docker.io", "library/x", "", "", "docker.io/library/x"},
	{"host:5000/a/b:t", "host:5000", "a/b", "t", "", "host:5000/a/b:t"},
	{"localhost/x", "localhost", "x", "", "", "localhost/x"},
	{"x@sha256:ab", "docker.io", "library/x", "", "sha256:ab", "docker.io/library/x@sha256:ab"},
	{"h.example/x:1@sha256:ab", "h.example", "x", "1", "sha256:ab", "h.example/x:1@sha256:ab"},
	{"", "docker.io", "library/", "", "", "docker.io/library/"},
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct refname r = refname_parse(names[i].text);
		auto_free char *whole = refname_whole(&r);

		is_str(r.domain, names[i].domain, "\"%s\": domain", names[i].text);
		is_str(r.path, names[i].path, "path");
		is_str(r.tag, names[i].tag, "tag");
		is_str(r.digest, names[i].digest, "digest");
		is_str(whole, names[i].whole, "whole");
		refname_done(&r);
	}
	is_str(refname_server("docker.io"), "https://index.docker.io/v1/", "docker.io's old URL");
	is_str(refname_server("h:5000"), "h:5000", "others are called as they are");
	return tap_done();
}
