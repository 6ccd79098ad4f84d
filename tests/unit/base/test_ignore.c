/* SPDX-License-Identifier: GPL-2.0-or-later */
/* path names as text, patterns, .dockerignore */

#include "base/glob.h"
#include "base/ignore.h"
#include "base/path.h"
#include "base/str.h"
#include "tap.h"

static const struct {
	const char *path, *clean;
} paths[] = {
	{"", "."},
	{".", "."},
	{"/", "/"},
	{"//", "/"},
	{"a", "a"},
	{"a/", "a"},
	{"./a//b/./c/", "a/b/c"},
	{"a/..", "."},
	{"a/../b", "b"},
	{"../a", "../a"},
	{"../../a/..", "../.."},
	{"/..", "/"},
	{"/../a", "/a"},
	{"/a/../../b", "/b"},
	{"a/b/../../..", ".."},
	{"...", "..."},
	{"a/..b", "a/..b"},
};

static const struct {
	const char *pattern, *text;
	unsigned flags;
	int fits;
} globs[] = {
	{"a", "a", 0, 1},
	{"a", "b", 0, 0},
	{"a", "ab", 0, 0},
	{"", "", 0, 1},
	{"*", "", 0, 1},
	{"*", "abc", 0, 1},
	{"*", "a/b", 0, 0},
	{"a*", "abc", 0, 1},
	{"*c", "abc", 0, 1},
	{"a*c*e", "abcde", 0, 1},
	{"a*c*e", "abcd", 0, 0},
	{"?", "a", 0, 1},
	{"?", "/", 0, 0},
	{"?", "\xc3\xa4", 0, 1},
	{"[a-c]x", "bx", 0, 1},
	{"[a-c]x", "dx", 0, 0},
	{"[^a-c]x", "dx", 0, 1},
	{"[^a-c]x", "bx", 0, 0},
	{"[]a]", "]", 0, -1},
	{"[\\]a]", "]", 0, 1},
	{"[-]", "-", 0, -1},
	{"\\*", "*", 0, 1},
	{"\\*", "a", 0, 0},
	{"a\\", "a", 0, -1},
	{"[a", "a", 0, -1},
	{"**", "a/b", 0, 0},
	{"**", "a/b", GLOB_DEEP, 1},
	{"**/x", "x", GLOB_DEEP, 1},
	{"**/x", "a/b/x", GLOB_DEEP, 1},
	{"**/x", "ax", GLOB_DEEP, 0},
	{"a/**", "a/b/c", GLOB_DEEP, 1},
	{"a/**/c", "a/c", GLOB_DEEP, 1},
	{"a/**/c", "a/b/b/c", GLOB_DEEP, 1},
	{"a/**/c", "a/bc", GLOB_DEEP, 0},
	{"**/*.go", "a/b.go", GLOB_DEEP, 1},
	{"**/*.go", "b.go", GLOB_DEEP, 1},
	{"a**b", "ab", GLOB_DEEP, 1},
	{"a**b", "ax/b", GLOB_DEEP, 1},
	{"a**b", "axb", GLOB_DEEP, 0},
};

static const struct {
	const char *file, *in, *out; /* paths between blanks */
} ignores[] = {
	{"", "a a/b", ""},
	{"a", "b ba b/a", "a a/x a/x/y"},
	{"*.log", "a a/b.log", "x.log"},
	{"**/*.log", "a", "x.log a/x.log a/b/x.log"},
	{"# a\n\n  b  \n", "a #", "b"},
	{"/a\n", "b/a", "a"},
	{"a/\n./c//d/\n", "c", "a a/b c/d"},
	{"*\n!keep\n", "keep keep/x", "a a/keep"},
	{"a\n!a/b\na/b/c\n", "a/b a/b/x", "a a/x a/b/c"},
	{"!a\na\n", "", "a"},
	{"*.md\n!README*.md\nREADME-secret.md\n", "README.md README-x.md", "a.md README-secret.md"},
	{"\xef\xbb\xbf"
	 "a\n",
	 "b", "a"},
	{"a\r\n", "b", "a"},
	{"..\n../x\n", "x", ""},
};

static int ignored(const struct ignore *g, const char *list, int want)
{
	auto_strv char **v = NULL;
	int wrong = 0;

	if (!*list || strv_split(list, " ", &v) < 0)
		return 0;
	for (char **p = v; *p; p++)
		if (ignore_match(g, *p) != want) {
			printf("# %s\n", *p);
			wrong++;
		}
	return wrong;
}

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		auto_free char *clean = path_clean_lexical(paths[i].path);

		is_str(clean, paths[i].clean, "clean \"%s\"", paths[i].path);
	}
	auto_free char *joined = path_join("/a/b", "../c"), *whole = path_join("/a", "/x");

	is_str(joined, "/a/c", "join");
	is_str(whole, "/x", "join with an absolute one");
	is_str(path_base("a/b"), "b", "base");
	for (size_t i = 0; i < ARRAY_SIZE(globs); i++) {
		auto_(glob_free) struct glob *g = NULL;
		struct err e = {0};
		int r = glob_new(globs[i].pattern, globs[i].flags, &g, &e);

		if (globs[i].fits < 0) {
			is_err(r, e, ERR_INVALID, "syntax error in pattern");
			continue;
		}
		is_int(r < 0 ? r : glob_match(g, globs[i].text), globs[i].fits, "\"%s\" on \"%s\"",
		       globs[i].pattern, globs[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ignores); i++) {
		auto_(ignore_free) struct ignore *g = NULL;
		int r = ignore_parse(ignores[i].file, strlen(ignores[i].file), &g, NULL);

		ok(r == 0 && !ignored(g, ignores[i].in, 0) && !ignored(g, ignores[i].out, 1),
		   "ignore file %zu", i);
	}
	auto_(ignore_free) struct ignore *g = NULL, *bad = NULL;
	struct err e = {0};
	int r = ignore_parse("a\n!a/b/c\n", 9, &g, NULL);

	ok(r == 0 && ignore_may_reenter(g, "a") && ignore_may_reenter(g, "a/b") &&
		   !ignore_may_reenter(g, "ab"),
	   "where an exception may be");
	r = ignore_parse("a\n!\n", 4, &bad, &e);
	is_err(r, e, ERR_INVALID, "illegal exclusion pattern: \"!\"");
	return tap_done();
}
