/* SPDX-License-Identifier: GPL-2.0-or-later */
/* $NAME in a Dockerfile's words */

#include "base/buf.h"
#include "base/str.h"
#include "build/expand.h"
#include "tap.h"

static const char *get(const char *name, void *data)
{
	(void)data;
	return streq(name, "A")	    ? "apple"
	       : streq(name, "AB")  ? "both"
	       : streq(name, "S")   ? "two words"
	       : streq(name, "E")   ? ""
	       : streq(name, "P")   ? "/a/b/c.tar.gz"
	       : streq(name, "PWD") ? "/home"
				    : NULL;
}

static const struct {
	const char *word, *out; /* NULL: an error, and the text of it in @says */
	const char *says;
} words[] = {
	{"", "", NULL},
	{"plain", "plain", NULL},
	{"$A", "apple", NULL},
	{"${A}B", "appleB", NULL},
	{"$AB$A", "bothapple", NULL},
	{"$A-x", "apple-x", NULL},
	{"$none", "", NULL},
	{"$", "$", NULL},
	{"$%", "$%", NULL},
	{"\\$A", "$A", NULL},
	{"\\\\$A", "\\apple", NULL},
	{"a\\ b", "a b", NULL},
	{"a\\", "a", NULL},
	{"'$A \\x'", "$A \\x", NULL},
	{"\"$A \\$A \\\" \\x\"", "apple $A \" \\x", NULL},
	{"\"it's\"", "it's", NULL},
	{"a'b'\"c\"", "abc", NULL},
	{"${A:-x}", "apple", NULL},
	{"${none:-x}", "x", NULL},
	{"${E:-x}", "x", NULL},
	{"${E-x}", "", NULL},
	{"${none-x}", "x", NULL},
	{"${A:+x}", "x", NULL},
	{"${E:+x}", "", NULL},
	{"${E+x}", "x", NULL},
	{"${none+x}", "", NULL},
	{"${none:-${A}y}", "appley", NULL},
	{"${none:-a b}", "a b", NULL},
	{"${none:-\"}\"}", "}", NULL},
	{"${P#*/}", "a/b/c.tar.gz", NULL},
	{"${P##*/}", "c.tar.gz", NULL},
	{"${P%/*}", "/a/b", NULL},
	{"${P%%[b-z]*}", "/a/", NULL},
	{"${P%.*}", "/a/b/c.tar", NULL},
	{"${P%%.*}", "/a/b/c", NULL},
	{"${P%x}", "/a/b/c.tar.gz", NULL},
	{"${none#x}", "", NULL},
	{"$1x", "x", NULL},
	{"${A:?no}", "apple", NULL},
	{"${none:?is needed}", NULL, "failed to process \"${none:?is needed}\": none: is needed"},
	{"${E:?}", NULL, "failed to process \"${E:?}\": E: parameter not set"},
	{"${A", NULL, "failed to process \"${A\": syntax error: missing '}'"},
	{"${", NULL, "failed to process \"${\": syntax error: missing '}'"},
	{"${}", NULL, "failed to process \"${}\": syntax error: bad substitution"},
	{"${A:-x", NULL, "failed to process \"${A:-x\": syntax error: missing '}'"},
	{"${A:*x}", NULL,
	 "failed to process \"${A:*x}\": unsupported modifier (:*) in substitution"},
	{"'a", NULL,
	 "failed to process \"'a\": unexpected end of statement while looking for matching "
	 "single-quote"},
	{"\"a", NULL,
	 "failed to process \"\"a\": unexpected end of statement while looking for matching "
	 "double-quote"},
};

static void many(const char *word, const char *want)
{
	const struct expand_env env = {'\\', get, NULL};
	auto_strv char **v = NULL;
	char got[256] = "";
	int r = expand_words(&env, word, &v, NULL);

	for (char **p = v; r >= 0 && p && *p; p++)
		(void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "[%s]", *p);
	is_str(r < 0 ? "error" : got, want, "words of %s", word);
}

int main(void)
{
	const struct expand_env env = {'\\', get, NULL}, tick = {'`', get, NULL};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		auto_free char *out = NULL;
		struct err e = {0};
		int r = expand_word(&env, words[i].word, &out, &e);

		if (words[i].out)
			is_str(r < 0 ? e.msg : out, words[i].out, "%s", words[i].word);
		else
			is_err(r, e, ERR_INVALID, words[i].says);
	}
	auto_free char *out = NULL;

	ok(expand_word(&tick, "C:\\x`$A$A", &out, NULL) == 0, "another escape");
	is_str(out, "C:\\x$Aapple", "its result");
	many("80 90", "[80][90]");
	many("$S", "[two][words]");
	many("\"$S\" x", "[two words][x]");
	many("'' $none", "[]");
	many("a$S", "[atwo][words]");
	auto_buf struct buf deep = BUF_INIT(1024);
	auto_free char *none = NULL;
	struct err e = {0};

	for (int i = 0; i < 100; i++)
		(void)buf_puts(&deep, "${n:-");
	ok(expand_word(&env, buf_str(&deep), &none, &e) < 0, "nested too deep");
	return tap_done();
}
