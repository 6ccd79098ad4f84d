/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_filters.c - Docker's filters in both spellings, and the request target */

#include "base/str.h"
#include "http/filters.h"
#include "http/query.h"
#include "tap.h"

static const char *const allowed[] = {"name", "label", "id", "dangling", NULL};

static char *joined(const struct filters *f, const char *key)
{
	static char text[256];
	char *const *v = filters_get(f, key);
	size_t n = 0;

	text[0] = '\0';
	for (; v && *v && n < sizeof(text); v++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s|", *v);
	return text;
}

static const struct {
	const char *text, *name, *label; /* values, each with a '|' behind it */
} good[] = {
	{NULL, "", ""},
	{"", "", ""},
	{"{}", "", ""},
	{"null", "", ""},
	{"{\"name\":[\"a\",\"b\"]}", "a|b|", ""},
	{"{\"name\":{\"a\":true,\"b\":true}}", "a|b|", ""},
	{"{\"name\":{\"a\":true,\"b\":false}}", "a|", ""},
	{"{\"label\": [\"k=v\", \"k2\"]}", "", "k=v|k2|"},
	{"{\"label\":{\"com.docker.compose.project=x\":true},\"name\":[]}", "",
	 "com.docker.compose.project=x|"},
	{"{\"name\":null}", "", ""},
	{"{\"name\":[\"a\"],\"name\":[\"b\"]}", "b|", ""},
	{"{\"name\":[\"\\u00e4\\\"\"]}", "ä\"|", ""},
};

static const struct {
	const char *text, *message;
} broken[] = {
	{"{", "invalid filter"},
	{"[]", "invalid filter"},
	{"\"name\"", "invalid filter"},
	{"1", "invalid filter"},
	{"{\"name\":\"a\"}", "invalid filter"},
	{"{\"name\":[1]}", "invalid filter"},
	{"{\"name\":{\"a\":1}}", "invalid filter"},
	{"{\"name\":[[\"a\"]]}", "invalid filter"},
	{"{\"nonsense\":[\"a\"]}", "invalid filter 'nonsense'"},
	{"{\"Name\":[\"a\"]}", "invalid filter 'Name'"},
	{"{\"name\":[\"a\"]} x", "invalid filter"},
	{"name=a", "invalid filter"},
};

static void parsing(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		auto_(filters_free) struct filters *f = NULL;
		struct err e = {0};

		if (!is_int(filters_parse(good[i].text, allowed, &f, &e), 0, "%s",
			    good[i].text ? good[i].text : "(null)"))
			continue;
		is_str(joined(f, "name"), good[i].name, "names");
		is_str(joined(f, "label"), good[i].label, "labels");
	}
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct filters *f = NULL;
		struct err e = {0};
		int r = filters_parse(broken[i].text, allowed, &f, &e);

		is_err(r, e, ERR_INVALID, broken[i].message);
		is_int(r, -EINVAL, "%s", broken[i].text);
		ok(!f, "nothing returned");
	}
}

static void matching(void)
{
	auto_(filters_free) struct filters *f = NULL, *none = NULL;
	auto_json json_t *labels = json_pack("{s:s, s:s}", "a", "1", "b", "");
	struct err e = {0};
	bool b;

	is_int(filters_parse("{\"name\":[\"web\",\"db\"],\"label\":[\"a\",\"a=1\",\"b=\"],"
			     "\"dangling\":[\"1\"],\"id\":[\"abc\"]}",
			     allowed, &f, &e),
	       0, "parsed");
	is_int(filters_parse(NULL, allowed, &none, &e), 0, "none");
	ok(filters_exact(f, "name", "web") && !filters_exact(f, "name", "web1"), "exact");
	ok(filters_partial(f, "name", "my_web_1") && !filters_partial(f, "name", "we"), "partial");
	ok(filters_prefix(f, "id", "abcdef") && !filters_prefix(f, "id", "ab"), "prefix");
	ok(filters_exact(none, "name", "x") && filters_partial(none, "name", "x") &&
		   filters_prefix(none, "name", "x") && filters_labels(none, "label", NULL),
	   "not asked: all fit");
	ok(filters_labels(f, "label", labels), "labels");
	(void)json_object_set_new(labels, "a", json_string("2"));
	ok(!filters_labels(f, "label", labels), "another value");
	(void)json_object_del(labels, "a");
	ok(!filters_labels(f, "label", labels) && !filters_labels(f, "label", NULL), "absent");
	ok(filters_bool(f, "dangling", false, &b, &e) == 0 && b, "bool: 1");
	ok(filters_bool(none, "dangling", true, &b, &e) == 0 && b, "bool: absent");
	is_err(filters_bool(f, "id", false, &b, &e), e, ERR_INVALID, "invalid filter 'id=[abc]'");
	is_err(filters_bool(f, "name", false, &b, &e), e, ERR_INVALID,
	       "invalid filter 'name=[web db]'");
}

static void targets(void)
{
	static const struct {
		const char *target, *path, *a, *b; /* path NULL: the message is in a */
	} t[] = {
		{"/x", "/x", NULL, NULL},
		{"/x?", "/x", NULL, NULL},
		{"/x?a", "/x", "", NULL},
		{"/x?a=", "/x", "", NULL},
		{"/x?a=1&b=2", "/x", "1", "2"},
		{"/x?a=1&a=2&&b=%3D=", "/x", "1", "=="},
		{"/x?%61=+%2B+&b=%c3%a4", "/x", " + ", "ä"},
		{"/x+y%20z?a+b=1", "/x+y z", NULL, NULL},
		{"/x%3fa=1?a=2", "/x?a=1", "2", NULL},
		{"/x?a=/y?b=1", "/x", "/y?b=1", NULL},
		{"/x?=1&a=2", "/x", "2", NULL},
		{"http://h/x?a=1", "/x", "1", NULL},
		{"HTTP://h:80?a=1", "/", "1", NULL},
		{"http://h", "/", NULL, NULL},
		{"*", "*", NULL, NULL},
		{"", "/", NULL, NULL},
		{"/%2", NULL, "invalid URL escape \"%2\"", NULL},
		{"/%", NULL, "invalid URL escape \"%\"", NULL},
		{"/x?a=%gg", NULL, "invalid URL escape \"%gg\"", NULL},
		{"/x?a=%1", NULL, "invalid URL escape \"%1\"", NULL},
		{"/x?a=%1&b=2", NULL, "invalid URL escape \"%1\"", NULL},
		{"/x?%zz=1", NULL, "invalid URL escape \"%zz\"", NULL},
		{"/x?a;b=1", NULL, "invalid semicolon separator in query", NULL},
		{"/x?a=%00", NULL, "invalid NUL character in the URL", NULL},
		{"/%00", NULL, "invalid NUL character in the URL", NULL},
	};
	char many[3000] = "/x?";

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto_(query_free) struct query *q = NULL;
		auto_free char *path = NULL;
		struct err e = {0};
		int r = target_parse(t[i].target, &path, &q, &e);

		if (!t[i].path) {
			is_err(r, e, ERR_INVALID, t[i].a);
			continue;
		}
		is_int(r, 0, "target %s", t[i].target);
		is_str(path, t[i].path, "path");
		is_str(query_get(q, "a"), t[i].a, "a");
		is_str(query_get(q, "b"), t[i].b, "b");
	}
	memset(many + 3, '&', 2000);
	{
		struct query *q = NULL;
		char *path = NULL;
		struct err e = {0};

		is_err(target_parse(many, &path, &q, &e), e, ERR_INVALID,
		       "the query has more than 1024 parameters");
	}
}

int main(void)
{
	parsing();
	matching();
	targets();
	return tap_done();
}
