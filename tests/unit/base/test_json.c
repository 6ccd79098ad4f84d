/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_json.c - the streaming writer judged by the reader, the getters and their Go texts */

#include "base/json.h"
#include "base/jsonw.h"
#include "base/str.h"
#include "tap.h"

static void written(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct jsonw w = JSONW_INIT(&b);
	auto_json json_t *inner = json_pack("{s:[i,b]}", "x", 1, 1);
	char *const list[] = {(char[]){"a"}, (char[]){""}, NULL};

	jsonw_object(&w, NULL);
	jsonw_str(&w, "s", "text");
	jsonw_str(&w, "none", NULL);
	jsonw_str_or_null(&w, "null", NULL);
	jsonw_str_or_null(&w, "given", "x");
	jsonw_strf(&w, "f", "%d\"%s", 7, "\n");
	jsonw_i64(&w, "min", INT64_MIN);
	jsonw_u64(&w, "max", UINT64_MAX);
	jsonw_bool(&w, "yes", true);
	jsonw_array(&w, "list");
	jsonw_i64(&w, NULL, 1);
	jsonw_object(&w, NULL);
	jsonw_end_object(&w);
	jsonw_array(&w, NULL);
	jsonw_end_array(&w);
	jsonw_null(&w, NULL);
	jsonw_end_array(&w);
	jsonw_strv(&w, "v", list);
	jsonw_strv(&w, "v0", NULL);
	jsonw_json(&w, "j", inner);
	jsonw_json(&w, "j0", NULL);
	jsonw_raw(&w, "raw", "[1]");
	jsonw_end_object(&w);
	is_int(buf_err(&b), 0, "written");
	is_str(buf_str(&b),
	       "{\"s\":\"text\",\"none\":\"\",\"null\":null,\"given\":\"x\",\"f\":\"7\\\"\\n\","
	       "\"min\":-9223372036854775808,\"max\":18446744073709551615,\"yes\":true,"
	       "\"list\":[1,{},[],null],\"v\":[\"a\",\"\"],\"v0\":[],\"j\":{\"x\":[1,true]},"
	       "\"j0\":null,\"raw\":[1]}",
	       "byte for byte");
}

static void strings(void)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"", "\"\""},
		{"\"\\/", "\"\\\"\\\\/\""},
		{"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3",
		 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xb3\""},
		{"a\xff"
		 "b",
		 "\"a\xef\xbf\xbd"
		 "b\""},
		{"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},		      /* overlong */
		{"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
		{"\xf4\x90\x80\x80",
		 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* above U+10FFFF */
		{"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},		  /* cut off */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_buf struct buf b = BUF_INIT(256);
		struct jsonw w = JSONW_INIT(&b);
		auto_json json_t *j = NULL;

		jsonw_str(&w, NULL, rows[i].in);
		is_str(buf_str(&b), rows[i].out, "string %zu", i);
		is_int(json_read(buf_str(&b), b.len, &j, NULL), 0, "which the reader takes");
	}
}

static void deep(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct jsonw w = JSONW_INIT(&b);

	for (int i = 0; i < JSONW_DEPTH_MAX - 1; i++)
		jsonw_array(&w, NULL);
	is_int(buf_err(&b), 0, "deep");
	jsonw_array(&w, NULL);
	is_int(buf_err(&b), -ENOBUFS, "too deep");
}

static void reading(void)
{
	static const char *const bad[] = {
		"",	     "{",   "{'a':1}",	"{\"a\":1} x", "[1,]",
		"{\"a\" 1}", "nul", "\"\xff\"", "{\"a\":1",    "99999999999999999999"};
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *j = NULL;

		e = (struct err){0};
		ok(json_read(bad[i], strlen(bad[i]), &j, &e) == -EINVAL && !j &&
			   e.kind == ERR_INVALID && str_has_prefix(e.msg, "invalid JSON: "),
		   "refused: %s (%s)", bad[i], e.msg);
	}
}

static void getters(void)
{
	static const char text[] = "{\"Name\":\"n\",\"name\":\"exact\",\"INTERNAL\":true,\"Big\":"
				   "9007199254740993,\"Real\":3.0,\"Half\":2.5,\"Null\":null,"
				   "\"List\":[\"a\",\"b\"],\"One\":\"a\",\"Mixed\":[\"a\",1],"
				   "\"Map\":{\"k\":\"v\"},\"Bad\":{\"k\":1},\"Dup\":1,\"Dup\":2}";
	auto_json json_t *j = NULL;
	auto_strv char **v = NULL, **one = NULL, **none = NULL;
	const char *s = "x";
	json_t *o;
	int64_t n;
	bool b;

	is_int(json_read(text, strlen(text), &j, NULL), 0, "read");
	ok(!json_get_str(j, "T", "name", &s, NULL) && streq(s, "exact"), "the exact key wins");
	ok(!json_get_bool(j, "T", "Internal", &b, NULL) && b, "else case is ignored");
	ok(!json_get_i64(j, "T", "Big", &n, NULL) && n == 9007199254740993, "64 bits are kept");
	ok(!json_get_i64(j, "T", "Real", &n, NULL) && n == 3, "a whole number with a point");
	ok(!json_get_i64(j, "T", "Dup", &n, NULL) && n == 2, "the last of two keys wins");
	ok(!json_get_str(j, "T", "Null", &s, NULL) && !s, "null is not given");
	ok(!json_get_bool(j, "T", "absent", &b, NULL) && !b, "absent is false");
	ok(!json_get_i64(j, "T", "absent", &n, NULL) && n == 0, "or 0");
	ok(!json_get_strv(j, "T", "List", false, &v, NULL) && strv_len(v) == 2, "a list");
	ok(!json_get_strv(j, "T", "One", true, &one, NULL) && strv_len(one) == 1, "or a string");
	ok(!json_get_strv(j, "T", "absent", false, &none, NULL) && !none, "or none");
	ok(!json_get_strmap(j, "T", "Map", &o, NULL) && json_object_size(o) == 1, "a map");
	ok(!json_get_obj(j, "T", "Bad", &o, NULL) && o, "an object");
	ok(!json_get_arr(j, "T", "Mixed", &o, NULL) && json_array_size(o) == 2, "an array");
}

static void refusals(void)
{
	auto_json json_t *j = json_pack("{s:i,s:s,s:f,s:[s,i],s:{s:b}}", "n", 1, "s", "x", "h", 2.5,
					"l", "a", 1, "m", "k", 1);
	const char *s;
	struct err e;
	char **v;
	json_t *o;
	int64_t n;
	bool b;

	is_err(json_get_str(j, "T", "n", &s, &e), e, ERR_INVALID,
	       "json: cannot unmarshal number into Go struct field T.n of type string");
	is_err(json_get_bool(j, "T", "s", &b, &e), e, ERR_INVALID,
	       "json: cannot unmarshal string into Go struct field T.s of type bool");
	is_err(json_get_i64(j, "T", "h", &n, &e), e, ERR_INVALID,
	       "json: cannot unmarshal number into Go struct field T.h of type int64");
	is_err(json_get_obj(j, "T", "l", &o, &e), e, ERR_INVALID,
	       "json: cannot unmarshal array into Go struct field T.l of type map[string]interface "
	       "{}");
	is_err(json_get_arr(j, "T", "m", &o, &e), e, ERR_INVALID,
	       "json: cannot unmarshal object into Go struct field T.m of type []interface {}");
	is_err(json_get_strv(j, "T", "l", false, &v, &e), e, ERR_INVALID,
	       "json: cannot unmarshal number into Go struct field T.l of type string");
	is_err(json_get_strv(j, "T", "s", false, &v, &e), e, ERR_INVALID,
	       "json: cannot unmarshal string into Go struct field T.s of type []string");
	is_err(json_get_strmap(j, "T", "m", &o, &e), e, ERR_INVALID,
	       "json: cannot unmarshal bool into Go struct field T.m of type string");
}

int main(void)
{
	written();
	strings();
	deep();
	reading();
	getters();
	refusals();
	return tap_done();
}
